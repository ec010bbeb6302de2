"""Does the failure depend on our local port, as it does behind a balancer that hashes it?

Four tests on which ports ever failed, in order of generality: do ports that are used again fail
again (any hash); is failing a parity of some of the port's bits (CRC and Toeplitz hashes are linear
over GF(2), found by a Walsh-Hadamard transform over all 65,535 masks); is it a remainder; and do
all failing ports lie in one affine subspace (which needs the fewest, but no other failures).

Counted are distinct ports, not failures: one sticky port which fails a hundred times says nothing
about the others. Masks that never vary among our ports (a kernel which hands out even ports only)
drop out by themselves.

Imported late: it needs numpy and scipy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.special import bdtrc, ndtr, ndtri, pdtrc

from stress.analysis.causes.cohorts import Mask
from stress.analysis.proportions.binomial import Floats, Integers
from stress.model.run import PortCount

BITS = 16
LEVEL = 0.01
FEWEST_PORTS = 30
"""Distinct failing ports that the transform needs."""
FEWEST_AFFINE = 24
LARGEST_REMAINDER = 128
KEPT = 0.9
"""A parity of the bucket keeps at least this part of the failing ports …"""
CUT = 0.75
"""… and at most this part of all ports."""
SHOWN_MASKS = 3


class Structure(StrEnum):
    """What kind of dependence was found."""

    REMAINDER = "remainder"
    LINEAR = "linear"
    REPEATS = "repeats"


@dataclass(frozen=True, slots=True)
class PortFinding:
    """The failing local ports have something in common."""

    structure: Structure
    text: str
    """What the ports share; follows "local ports with"."""
    attempts: int
    """Attempts from ports that fit."""
    failures: int
    p_value: float


def port_structure(counts: Sequence[PortCount]) -> PortFinding | None:
    """The strongest dependence on the local port; None when there is none to see."""
    used = [count for count in counts if count.attempts]
    if not any(count.failures for count in used):
        return None
    ports = _Ports(used)
    return ports.remainder() or ports.linear() or ports.affine() or ports.repeats()


class _Ports:
    """Ports with their attempts and failures, as arrays."""

    def __init__(self, counts: Sequence[PortCount]) -> None:
        ordered = sorted(counts, key=lambda count: count.port)
        self.ports: Integers = np.asarray([count.port for count in ordered], dtype=np.int64)
        self.attempts: Integers = np.asarray([c.attempts for c in ordered], dtype=np.int64)
        self.failures: Integers = np.asarray([c.failures for c in ordered], dtype=np.int64)
        self.failed = self.failures > 0
        self.distinct = int(self.failed.sum())

    def finding(self, structure: Structure, text: str, inside: Mask, p: float) -> PortFinding:
        return PortFinding(
            structure, text, int(self.attempts[inside].sum()), int(self.failures[inside].sum()), p
        )

    def remainder(self) -> PortFinding | None:
        """One remainder of the port by a small number holds too many of the failing ports."""
        best: tuple[float, int, int] | None = None
        tried = sum(range(2, LARGEST_REMAINDER + 1))
        for modulus in range(2, LARGEST_REMAINDER + 1):
            places = self.ports % modulus
            size = np.bincount(places, minlength=modulus)
            hits = np.bincount(places[self.failed], minlength=modulus)
            tails = bdtrc(hits - 1, self.distinct, size / len(self.ports))
            tails = np.where((size > 0) & (size < len(self.ports)), tails, 1.0)
            place = int(tails.argmin())
            # The smallest number that says it: its multiples say less with more.
            if best is None or tails[place] < best[0] * 1e-3:
                best = (float(tails[place]), modulus, place)
        if (
            best is None
            or best[0] * tried > LEVEL
            or not self._most(self.ports % best[1] == best[2])
        ):
            return None
        inside = self.ports % best[1] == best[2]
        text = f"port mod {best[1]} = {best[2]}"
        return self.finding(Structure.REMAINDER, text, inside, min(1.0, best[0] * tried))

    def _most(self, inside: Mask) -> bool:
        """Whether a bucket holds most of the failing ports; a lesser part is an echo."""
        return int(self.failed[inside].sum()) >= 0.5 * self.distinct

    def linear(self) -> PortFinding | None:
        """Parities of the port which failing ports have too often."""
        if self.distinct < FEWEST_PORTS or self.distinct == len(self.ports):
            return None
        scores = self._scores()
        limit = float(-ndtri(LEVEL / 2.0 / (2**BITS - 1)))
        masks = np.flatnonzero(np.abs(scores) > limit)
        if not len(masks):
            return None
        masks = masks[np.argsort(-np.abs(scores[masks]), kind="stable")]
        basis, inside = self._bucket(masks.tolist(), scores)
        p = float(ndtr(-abs(scores[masks[0]]))) * 2.0 * (2**BITS - 1)
        words = [f"parity(port & 0x{m:04X}) = {0 if scores[m] > 0 else 1}" for m in basis]
        return self.finding(Structure.LINEAR, _listed(words), inside, min(1.0, p))

    def _bucket(self, masks: Sequence[int], scores: Floats) -> tuple[list[int], Mask]:
        """The parities that cut the ports down without losing failing ones: they are the bucket.

        Others that are significant only echo these where the ports are not spread evenly.
        """
        chosen: list[int] = []
        inside = np.ones(len(self.ports), dtype=np.bool_)
        for mask in masks:
            fits = inside & (_parity(self.ports & mask) == (0 if scores[mask] > 0 else 1))
            kept = int(self.failed[fits].sum()) >= KEPT * int(self.failed[inside].sum())
            if (kept and int(fits.sum()) <= CUT * int(inside.sum())) or not chosen:
                chosen.append(mask)
                inside = fits
        return chosen, inside

    def _scores(self) -> Floats:
        """z-scores of every mask: the transform of the failing ports against chance."""
        used, failed = np.zeros(2**BITS), np.zeros(2**BITS)
        used[self.ports], failed[self.ports] = 1.0, self.failed
        spectrum = _walsh(used) / len(self.ports)
        total, hits = len(self.ports), self.distinct
        variance = hits * (1.0 - spectrum**2) * (total - hits) / max(1, total - 1)
        free = variance > 1e-9 * hits
        scores = np.where(
            free, (_walsh(failed) - spectrum * hits) / np.sqrt(variance.clip(1e-12)), 0
        )
        return np.asarray(scores, dtype=np.float64)

    def affine(self) -> PortFinding | None:
        """All failing ports in one affine subspace smaller than that of all ports."""
        failing = self.ports[self.failed].tolist()
        if len(failing) < FEWEST_AFFINE:
            return None
        rank, whole = _rank(failing), _rank(self.ports.tolist())
        if rank >= whole:
            return None
        # Each failing port beyond the first would stay in a hyperplane by chance with 1/2.
        p = min(1.0, 2.0 ** (whole - len(failing) + 1))
        if p > LEVEL:
            return None
        inside = np.asarray([_within(port, failing) for port in self.ports.tolist()])
        text = f"{2 ** (whole - rank)} or more buckets of a linear hash"
        return self.finding(Structure.LINEAR, text, inside, p)

    def repeats(self) -> PortFinding | None:
        """Ports that failed once fail again more often than chance has it."""
        share = float(self.failures.sum()) / float(self.attempts.sum())
        pairs = float((self.attempts * (self.attempts - 1) / 2.0).sum())
        met = float((self.failures * (self.failures - 1) / 2.0).sum())
        p = float(pdtrc(met - 1, pairs * share**2)) if met else 1.0
        again = int((self.failures > 1).sum())
        if p > LEVEL or again < 2:
            return None
        text = f"a number that fails again ({again} ports failed more than once)"
        return self.finding(Structure.REPEATS, text, self.failed, p)


def _walsh(values: Floats) -> Floats:
    """The Walsh-Hadamard transform: entry m is the sum of values[i] * (-1)^parity(i & m)."""
    out = values.copy()
    half = 1
    while half < len(out):
        pairs = out.reshape(-1, 2, half)
        out = np.stack((pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]), axis=1).reshape(-1)
        half *= 2
    return out


def _parity(values: Integers) -> Integers:
    folded = values.copy()
    for shift in (8, 4, 2, 1):
        folded ^= folded >> shift
    return folded & 1


def _independent(masks: Sequence[int]) -> list[int]:
    """The first masks that no sum of earlier ones gives, strongest first."""
    chosen: list[int] = []
    reduced: list[int] = []
    for mask in masks:
        rest = mask
        for one in reduced:
            rest = min(rest, rest ^ one)
        if rest:
            chosen.append(mask)
            reduced.append(rest)
            reduced.sort(reverse=True)
        if len(chosen) == BITS:
            break
    return chosen


def _rank(ports: Sequence[int]) -> int:
    """Dimension of the affine subspace that the ports span."""
    return len(_independent([port ^ ports[0] for port in ports[1:]]))


def _within(port: int, failing: Sequence[int]) -> bool:
    """Whether a port lies in the affine subspace of the failing ones."""
    basis: list[int] = []
    for one in (other ^ failing[0] for other in failing[1:]):
        rest = one
        for known in basis:
            rest = min(rest, rest ^ known)
        if rest:
            basis.append(rest)
            basis.sort(reverse=True)
    rest = port ^ failing[0]
    for known in basis:
        rest = min(rest, rest ^ known)
    return rest == 0


def _listed(words: Sequence[str]) -> str:
    more = f" and {len(words) - SHOWN_MASKS} more" if len(words) > SHOWN_MASKS else ""
    return f"{', '.join(words[:SHOWN_MASKS])}{more} (a linear hash of the port)"
