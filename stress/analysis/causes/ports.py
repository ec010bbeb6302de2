"""Whether failures depend on the local port, as they do behind a balancer that hashes it.

Four tests on which ports ever failed, from the most specific to the most general:

* *remainder*: the failing ports share a remainder by a small number;
* *linear*: failing is a parity of some of the port's bits. CRC and Toeplitz hashes are linear over
  GF(2), so a Walsh-Hadamard transform over all 65,535 masks of bits finds the parities that failing
  ports have too often;
* *affine*: all failing ports lie in one affine subspace of GF(2)^16, which needs the fewest failing
  ports, but no other failures;
* *repeats*: ports that are used again fail again, as with any other hash.

Distinct ports are counted, not failures: one sticky port which fails a hundred times tells nothing
about the others. Masks that never vary among our ports (a kernel which hands out even ports only)
have no variance and drop out.

Imported late: it needs numpy and scipy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import log

import numpy as np
from scipy.special import bdtrc, ndtr, ndtri, pdtrc

from stress.analysis.causes.cohorts import Mask
from stress.analysis.proportions.binomial import Floats
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


@dataclass(frozen=True, slots=True)
class PortFinding:
    """The failing local ports have something in common."""

    text: str
    """What the ports share; follows "local ports with"."""
    attempts: int
    """Attempts from ports that fit."""
    failures: int
    p_value: float
    repeats: bool = False
    """Ports that failed once fail again; what they share is not known."""
    span: tuple[int, int] | None = None
    """They are contiguous: the lowest and the highest of them."""


def port_structure(counts: Sequence[PortCount]) -> PortFinding | None:
    """The most specific dependence on the local port; None when none is significant."""
    used = [count for count in counts if count.attempts]
    if not any(count.failures for count in used):
        return None
    ports = _Ports(used)
    return ports.span() or ports.remainder() or ports.linear() or ports.affine() or ports.repeats()


class _Ports:
    """Ports with their attempts and failures, as arrays."""

    def __init__(self, counts: Sequence[PortCount]) -> None:
        self.ports, self.attempts, self.failures = np.asarray(
            sorted((one.port, one.attempts, one.failures) for one in counts), dtype=np.int64
        ).T
        self.failed = self.failures > 0
        self.distinct = int(self.failed.sum())

    def finding(self, text: str, inside: Mask, p: float, *, repeats: bool = False) -> PortFinding:
        attempts, failures = self.attempts[inside].sum(), self.failures[inside].sum()
        return PortFinding(text, int(attempts), int(failures), min(1.0, p), repeats)

    def span(self) -> PortFinding | None:
        """Nearly all failing ports lie in one contiguous range."""
        usual = self.distinct / len(self.ports)
        if self.distinct < FEWEST_AFFINE or self.distinct == len(self.ports):
            return None
        for rate in (0.95, 0.5, min(0.4, 4.0 * usual)):
            if rate <= usual:
                continue
            # The range in which "this many of them fail" gains most over "as many as anywhere".
            gains = np.where(self.failed, log(rate / usual), log((1.0 - rate) / (1.0 - usual)))
            sums = np.concatenate(([0.0], np.cumsum(gains)))
            end = int((sums - np.minimum.accumulate(sums)).argmax())
            begin = int(sums[: end + 1].argmin())
            inside = np.zeros(len(self.ports), dtype=np.bool_)
            inside[begin:end] = True
            hits = int(self.failed[inside].sum())
            tail = float(bdtrc(hits - 1, self.distinct, (end - begin) / len(self.ports)))
            p = 3.0 * tail * len(self.ports) * (len(self.ports) + 1) / 2.0  # three rates
            if p <= LEVEL and hits >= KEPT * self.distinct:
                low, high = int(self.ports[begin]), int(self.ports[end - 1])
                found = self.finding(f"port {low} to {high}", inside, p)
                return replace(found, span=(low, high))
        return None

    def remainder(self) -> PortFinding | None:
        """One remainder of the port by a small number has too many of the failing ports."""
        best = (2.0, 0, 0)
        tried = sum(range(2, LARGEST_REMAINDER + 1))
        for modulus in range(2, LARGEST_REMAINDER + 1):
            places = self.ports % modulus
            size = np.bincount(places, minlength=modulus)
            hits = np.bincount(places[self.failed], minlength=modulus)
            tails = bdtrc(hits - 1, self.distinct, size / len(self.ports))
            tails = np.where((size > 0) & (size < len(self.ports)), tails, 1.0)
            place = int(tails.argmin())
            # The smallest modulus that explains it: its multiples explain less with more.
            if not best[1] or tails[place] < best[0] * 1e-3:
                best = (float(tails[place]), modulus, place)
        p, modulus, place = best[0] * tried, best[1], best[2]
        inside = self.ports % modulus == place
        # A remainder with less than half of the failing ports is an echo of something else.
        if p > LEVEL or int(self.failed[inside].sum()) < 0.5 * self.distinct:
            return None
        return self.finding(f"port mod {modulus} = {place}", inside, p)

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
        # The parities that cut the ports down without losing failing ones are the bucket. Others
        # that are significant only echo these where the ports are not spread evenly.
        chosen: list[str] = []
        inside = np.ones(len(self.ports), dtype=np.bool_)
        for mask in masks.tolist():
            bit = 0 if scores[mask] > 0 else 1
            parity = self.ports & mask
            for shift in (8, 4, 2, 1):
                parity = parity ^ (parity >> shift)
            fits = inside & (parity & 1 == bit)
            kept = int(self.failed[fits].sum()) >= KEPT * int(self.failed[inside].sum())
            if not chosen or (kept and int(fits.sum()) <= CUT * int(inside.sum())):
                chosen.append(f"parity(port & 0x{mask:04X}) = {bit}")
                inside = fits
        more = f" and {len(chosen) - SHOWN_MASKS} more" if len(chosen) > SHOWN_MASKS else ""
        text = f"{', '.join(chosen[:SHOWN_MASKS])}{more} (a linear hash of the port)"
        p = float(ndtr(-abs(scores[masks[0]]))) * 2.0 * (2**BITS - 1)
        return self.finding(text, inside, p)

    def _scores(self) -> Floats:
        """z-scores of every mask: the transform of the failing ports against chance."""
        used, failed = np.zeros(2**BITS), np.zeros(2**BITS)
        used[self.ports], failed[self.ports] = 1.0, self.failed
        total, hits = len(self.ports), self.distinct
        spectrum = _walsh(used) / total
        variance = hits * (1.0 - spectrum**2) * (total - hits) / max(1, total - 1)
        free = variance > 1e-9 * hits
        scores = np.where(
            free, (_walsh(failed) - spectrum * hits) / np.sqrt(variance.clip(1e-12)), 0
        )
        return np.asarray(scores, dtype=np.float64)

    def affine(self) -> PortFinding | None:
        """All failing ports in one affine subspace smaller than that of all ports."""
        failing, ports = self.ports[self.failed].tolist(), self.ports.tolist()
        if len(failing) < FEWEST_AFFINE:
            return None
        basis = _basis(port ^ failing[0] for port in failing)
        rank, whole = len(basis), len(_basis(port ^ ports[0] for port in ports))
        # By chance each failing port beyond the first stays in a hyperplane with probability 1/2.
        p = 2.0 ** (whole - len(failing) + 1)
        if rank >= whole or p > LEVEL:
            return None
        inside = np.asarray([not _reduced(port ^ failing[0], basis) for port in ports])
        text = f"{2 ** (whole - rank)} or more buckets of a linear hash"
        return self.finding(text, inside, p)

    def repeats(self) -> PortFinding | None:
        """Ports that failed once fail again more often than by chance."""
        share = float(self.failures.sum()) / float(self.attempts.sum())
        pairs = float((self.attempts * (self.attempts - 1) / 2.0).sum())
        seen = float((self.failures * (self.failures - 1) / 2.0).sum())
        p = float(pdtrc(seen - 1, pairs * share**2)) if seen else 1.0
        again = int((self.failures > 1).sum())
        if p > LEVEL or again < 2:
            return None
        text = f"a number that fails again ({again} ports failed more than once)"
        return self.finding(text, self.failed, p, repeats=True)


def _walsh(values: Floats) -> Floats:
    """The Walsh-Hadamard transform: entry m is the sum of values[i] * (-1)^parity(i & m)."""
    out = values.copy()
    half = 1
    while half < len(out):
        pairs = out.reshape(-1, 2, half)
        out = np.stack((pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]), axis=1).reshape(-1)
        half *= 2
    return out


def _basis(values: Iterable[int]) -> list[int]:
    """A basis over GF(2) of the space that the values span; as many as its dimension."""
    basis: list[int] = []
    for value in values:
        rest = _reduced(value, basis)
        if rest:
            basis.append(rest)
            basis.sort(reverse=True)
    return basis


def _reduced(value: int, basis: Sequence[int]) -> int:
    """What is left of a value after elimination; 0 when the basis spans it."""
    for one in basis:
        value = min(value, value ^ one)
    return value
