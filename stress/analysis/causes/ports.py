"""Whether failures depend on the local port, as they do behind a balancer that hashes it.

Tests on which ports ever failed, from the most specific to the most general:

* *span*: the failing ports are contiguous;
* *buckets*: the failing ports share one remainder by a small number, or a few, also after a shift
  (`(port // 2) mod 4`). Several bad buckets of one hash are one finding;
* *linear*: buckets of parities of the port's bits. CRC and Toeplitz hashes are linear over GF(2),
  so a Walsh-Hadamard transform over all 65,535 masks of bits finds the parities that failing ports
  have too often, and these together are the bucket. Of these two the better explanation wins;
* *affine*: all failing ports lie in one affine subspace of GF(2)^16, which needs the fewest failing
  ports, but no other failures;
* *repeats*: ports that are used again fail again, as with any other hash.

Of all sets of buckets of one size the ones that fail most are taken, so there are as many
hypotheses as sets of that size.

Distinct ports are counted, not failures: one sticky port which fails a hundred times tells nothing
about the others. Masks that never vary among our ports (a kernel which hands out even ports only)
have no variance and drop out.

Imported late: it needs numpy and scipy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import exp, log
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from stress.analysis.causes.cohorts import Mask
from stress.analysis.proportions.binomial import Floats, Integers, log_likelihood, two_rates
from stress.model.run import PortCount

BITS = 16
LEVEL = 0.01
FEWEST_PORTS = 30
"""Distinct failing ports that the transform needs."""
FEWEST_AFFINE = 24
FEWEST_FAILING = 6
"""Distinct failing ports below which nothing is said about remainders."""
BETTER = 1.0
"""Nats by which a later hash has to explain more than an earlier, simpler one."""
LARGEST_REMAINDER, LARGEST_SHIFTED = 128, 16
SHIFTS = range(1, 13)
MOST_MASKS, TRIED_MASKS = 4, 24
"""Parities that make a bucket, and among how many of the strongest they are chosen."""
MOST_BUCKETS = 8
"""That are bad at the same time."""
MOSTLY = 0.5
"""What holds less than this part of the failing ports is an echo of something else."""


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
    return ports.span() or ports.buckets() or ports.affine() or ports.repeats()


class _Buckets(NamedTuple):
    """The buckets of one hash that fail, and how well they explain it."""

    score: float
    """Logarithm of the likelihood ratio, less that of the number of hypotheses."""
    p_value: float
    hash: str
    """Whose buckets they are."""
    buckets: Integers
    """Of each port."""
    bad: tuple[int, ...]
    masks: tuple[int, ...] = ()
    """Of the parities, the first of them the lowest bit of a bucket's number."""

    @property
    def inside(self) -> Mask:
        """The ports that are in a bad bucket."""
        return np.isin(self.buckets, self.bad)

    @property
    def text(self) -> str:
        """What these ports share."""
        if not self.masks:
            *others, last = map(str, self.bad)
            return f"{self.hash} = {', '.join(others)}{' or ' if others else ''}{last}"
        if len(self.bad) == 1:
            each = [
                f"parity(port & 0x{mask:04X}) = {self.bad[0] >> place & 1}"
                for place, mask in enumerate(self.masks)
            ]
            return f"{', '.join(each)} (a linear hash of the port)"
        bits = [f"{bad:0{len(self.masks)}b}"[::-1] for bad in self.bad]
        named = " or ".join(filter(None, (", ".join(bits[:-1]), bits[-1])))
        masks = ", ".join(f"0x{mask:04X}" for mask in self.masks)
        return f"parities {named} under the masks {masks} (a linear hash of the port)"


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
        from scipy.special import bdtrc  # noqa: PLC0415 - heavy

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
            if p <= LEVEL and hits >= MOSTLY * self.distinct:
                low, high = int(self.ports[begin]), int(self.ports[end - 1])
                found = self.finding(f"port {low} to {high}", inside, p)
                return replace(found, span=(low, high))
        return None

    def buckets(self) -> PortFinding | None:
        """The buckets of a remainder or of a linear hash that hold the failing ports."""
        if self.distinct < FEWEST_FAILING or self.distinct == len(self.ports):
            return None
        hashes = [(1, modulus) for modulus in range(2, LARGEST_REMAINDER + 1)]
        hashes += [(1 << s, m) for s in SHIFTS for m in range(2, LARGEST_SHIFTED + 1)]
        best = None
        for divisor, modulus in hashes:
            name = f"(port // {divisor})" if divisor > 1 else "port"
            where = self.ports // divisor % modulus
            found = self.worst(f"{name} mod {modulus}", where, log(len(hashes)))
            # The first one that explains it: its multiples explain less with more.
            if found and (best is None or found.score > best.score + BETTER):
                best = found
        linear = self.linear()
        if linear and (best is None or linear.score > best.score):
            best = linear
        if best is None or best.p_value > LEVEL:
            return None
        inside = best.inside
        if int(self.failed[inside].sum()) < MOSTLY * self.distinct:
            return None
        return self.finding(best.text, inside, best.p_value)

    def worst(
        self, name: str, buckets: Integers, price: float, masks: tuple[int, ...] = ()
    ) -> _Buckets | None:
        """The set of buckets that explains the failing ports best.

        Args:
            name: of the hash.
            buckets: of each port.
            price: logarithm of the number of hashes that are tried.
            masks: see `_Buckets`.
        """
        from scipy.special import bdtrc, gammaln  # noqa: PLC0415 - heavy

        size = np.bincount(buckets)
        held = np.flatnonzero(size)
        hits = np.bincount(buckets[self.failed], minlength=len(size))[held]
        order = np.argsort(-hits / size[held], kind="stable")
        most = min(MOST_BUCKETS, len(held) - 1)
        if most < 1:
            return None
        failed = np.cumsum(hits[order])[:most].astype(np.float64)
        sizes = np.cumsum(size[held][order])[:most].astype(np.float64)
        number = np.arange(1.0, most + 1.0)
        sets = gammaln(len(held) + 1) - gammaln(number + 1) - gammaln(len(held) - number + 1)
        scores = two_rates(failed, sizes, float(self.distinct), float(len(self.ports))) - sets
        best = int(scores.argmax())
        tail = float(bdtrc(failed[best] - 1, self.distinct, sizes[best] / len(self.ports)))
        p_value = min(1.0, tail * exp(min(700.0, float(sets[best]) + price)))
        bad = tuple(sorted(held[order][: best + 1].tolist()))
        return _Buckets(float(scores[best]) - price, p_value, name, buckets, bad, masks)

    def linear(self) -> _Buckets | None:
        """The buckets of the parities of the port which failing ports have too often."""
        if self.distinct < FEWEST_PORTS:
            return None
        scores = self._scores()
        limit = -NormalDist().inv_cdf(LEVEL / 2.0 / (2**BITS - 1))
        masks = np.flatnonzero(np.abs(scores) > limit)
        order = np.argsort(-np.abs(scores[masks]), kind="stable")
        masks = masks[order][:TRIED_MASKS].tolist()
        best, chosen = None, list[int]()
        buckets = np.zeros(len(self.ports), dtype=np.int64)
        for number in range(MOST_MASKS if len(masks) else 0):
            # Other significant masks only echo the bucket where the ports are not spread evenly.
            # Of three bad buckets of eight each further parity alone may explain no more at first.
            splits = {mask: buckets + (_parity(self.ports & mask) << number) for mask in masks}
            chosen.append(max(splits, key=lambda mask: self.likelihood(splits[mask])))
            buckets = splits[chosen[-1]]
            found = self.worst("", buckets, len(chosen) * BITS * log(2.0), tuple(chosen))
            if found and (best is None or found.score > best.score):
                best = found
        return best

    def likelihood(self, buckets: Integers) -> float:
        """How well a failure rate for each bucket explains the failing ports, in nats."""
        size = np.bincount(buckets).astype(np.float64)
        hits = np.bincount(buckets[self.failed], minlength=len(size)).astype(np.float64)
        return float(log_likelihood(hits, size).sum())

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
        from scipy.special import pdtrc  # noqa: PLC0415 - heavy

        share = float(self.failures.sum()) / float(self.attempts.sum())
        pairs = float((self.attempts * (self.attempts - 1) / 2.0).sum())
        seen = float((self.failures * (self.failures - 1) / 2.0).sum())
        p = float(pdtrc(seen - 1, pairs * share**2)) if seen else 1.0
        again = int((self.failures > 1).sum())
        if p > LEVEL or again < 2:
            return None
        text = f"a number that fails again ({again} ports failed more than once)"
        return self.finding(text, self.failed, p, repeats=True)


def _parity(values: Integers) -> Integers:
    """1 for each value with an odd number of bits."""
    for shift in (8, 4, 2, 1):
        values = values ^ (values >> shift)
    return values & 1


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
