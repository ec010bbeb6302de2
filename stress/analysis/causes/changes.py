"""When the failing share changed: an optimal cut of the run's time into pieces of constant share.

Exact dynamic programming over time blocks (optimal partitioning, Jackson et al. 2005) with a price
for each cut. Nothing here is a p-value; the price is set so that a run without a change is left in
one piece.

Imported late: it needs numpy.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import exp, gcd, log, pi

import numpy as np
from scipy.special import bdtrc, xlogy

from stress.analysis.proportions.binomial import Floats, Integers
from stress.analysis.proportions.estimate import BlockCounts

MOST_BLOCKS = 400
CUT = 1.5
"""Price of a cut, in units of ln(blocks)."""
CHEAPEST_CUT = 7.0
"""Short runs: few blocks make 1.5 ln B too small a price."""
DROP = 8.0
"""Twice the log-likelihood that an instant may lose and still belong to the interval (95%)."""
EDGE = 2
"""Blocks by which a cut may move to where the change really was."""
UNEVEN = 0.2
"""Part by which the distances of bursts may differ and still be a rhythm."""
HOT = 2.0
"""A piece is hot when its share is at least this many times the share of the quietest."""


class TimeShape(StrEnum):
    """What the failing share did over the run."""

    CONSTANT = "constant"
    BEGAN = "began"
    """Quiet, then failing until the end of the run."""
    ENDED = "ended"
    WINDOW = "window"
    BURSTS = "bursts"
    """More than one window."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Attempts and failures by time block; block i covers `width` original blocks."""

    attempts: Floats
    failures: Floats
    width: int

    def __len__(self) -> int:
        return len(self.attempts)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of time with one failing share; blocks are original ones, the end exclusive."""

    begin: int
    end: int
    attempts: int
    failures: int

    @property
    def share(self) -> float:
        """Failures by attempts, 0 where nothing was attempted."""
        return self.failures / self.attempts if self.attempts else 0.0


@dataclass(frozen=True, slots=True)
class TimeProfile:
    """The run cut into pieces, hot and quiet in turn."""

    pieces: tuple[Piece, ...]
    hot: tuple[int, ...]
    """Places of the hot pieces; empty when the share is constant."""

    @property
    def shape(self) -> TimeShape:
        """What the failing share did, in one word."""
        last = len(self.pieces) - 1
        if not self.hot:
            return TimeShape.CONSTANT
        if len(self.hot) > 1:
            return TimeShape.BURSTS
        if self.hot[-1] == last:
            return TimeShape.BEGAN
        return TimeShape.ENDED if self.hot[0] == 0 else TimeShape.WINDOW


@dataclass(frozen=True, slots=True)
class Instant:
    """A change in time, in original blocks: the likeliest block boundary and its 95% interval."""

    low: int
    best: int
    high: int


def series(
    blocks: Integers, attempts: Integers, failures: Integers, most: int = MOST_BLOCKS
) -> Series:
    """Counts rows by time block, neighbours joined until there are at most `most`."""
    length = int(blocks.max()) + 1 if len(blocks) else 0
    width = max(1, -(-length // most))
    places, count = blocks // width, -(-length // width)
    return Series(
        np.bincount(places, weights=attempts, minlength=count).astype(np.float64, copy=False),
        np.bincount(places, weights=failures, minlength=count).astype(np.float64, copy=False),
        width,
    )


def time_profile(counted: Series) -> TimeProfile:
    """Cuts the series where the failing share changed."""
    cuts = _settled(counted, _partition(counted))
    pieces = [_piece(counted, begin, end) for begin, end in itertools.pairwise(cuts)]
    merged = [
        (is_hot, _joined(list(together)))
        for is_hot, together in itertools.groupby(pieces, key=_hotness(pieces, _price(counted)))
    ]
    hot = tuple(place for place, (is_hot, _) in enumerate(merged) if is_hot)
    return TimeProfile(tuple(piece for _, piece in merged), hot)


def rhythm(found: TimeProfile) -> float | None:
    """Blocks from burst to burst, when at least three come at equal distances; else None."""
    begins = [found.pieces[place].begin for place in found.hot]
    gaps = [after - before for before, after in itertools.pairwise(begins)]
    if len(gaps) < 2:
        return None
    middle = sum(gaps) / len(gaps)
    even = max(gaps) - min(gaps) <= max(2.0, UNEVEN * middle)
    return middle if even and middle > max(2.0, UNEVEN * middle) else None


def onset(counted: Series) -> Instant | None:
    """The likeliest instant of one single change, with its interval; None without failures.

    The interval holds all boundaries that lose at most 4 nats (2 * 4 = 8): simulated coverage is
    0.97, where the usual 3.84 of the chi-square gives 0.8, because the likelihood is jagged.
    """
    total, attempts = counted.failures.sum(), counted.attempts.sum()
    if len(counted) < 2 or not total:
        return None
    before_failures = np.cumsum(counted.failures)[:-1]
    before = np.cumsum(counted.attempts)[:-1]
    gain = _loglik(before_failures, before) + _loglik(total - before_failures, attempts - before)
    near = np.flatnonzero(2.0 * (gain.max() - gain) <= DROP) + 1
    best = int(gain.argmax()) + 1
    return Instant(
        int(near[0]) * counted.width, best * counted.width, int(near[-1]) * counted.width
    )


def _price(counted: Series) -> float:
    """Nats that a cut must earn."""
    return max(CHEAPEST_CUT, CUT * log(max(2, len(counted))))


def _partition(counted: Series) -> list[int]:
    """Boundaries of the best cut, from 0 to the length."""
    length = len(counted)
    price = _price(counted)
    failures = np.concatenate(([0.0], np.cumsum(counted.failures)))
    attempts = np.concatenate(([0.0], np.cumsum(counted.attempts)))
    cost = np.zeros(length + 1)
    previous = np.zeros(length + 1, dtype=np.int64)
    for end in range(1, length + 1):
        inside = _loglik(failures[end] - failures[:end], attempts[end] - attempts[:end])
        candidates = cost[:end] - inside + price
        previous[end] = candidates.argmin()
        cost[end] = candidates[previous[end]]
    cuts = [length]
    while cuts[-1] > 0:
        cuts.append(int(previous[cuts[-1]]))
    return cuts[::-1]


def _settled(counted: Series, cuts: list[int]) -> list[int]:
    """Moves each cut by a block or two where the change came in the middle of a block.

    The block in which a window ends belongs to it in part: a cut of its own is not worth the
    price, and left on the quiet side it would look like failures after the end.
    """
    settled = list(cuts)
    for place in range(1, len(cuts) - 1):
        begin, cut, end = settled[place - 1], settled[place], cuts[place + 1]
        before, after = _share(counted, begin, cut), _share(counted, cut, end)
        step = 1 if before > after else -1
        for _ in range(EDGE):
            edge = cut if step == 1 else cut - 1
            rest = (cut + 1, end) if step == 1 else (begin, cut - 1)
            if rest[0] >= rest[1] or not _belongs(counted, edge, _share(counted, *rest)):
                break
            cut += step
        settled[place] = cut
    return settled


def _belongs(counted: Series, edge: int, rest: float) -> bool:
    """Whether a block at an edge fails clearly more often than the quiet piece beyond it."""
    failures, attempts = counted.failures[edge], counted.attempts[edge]
    expected = rest * attempts
    # Chance makes twice the expectation from one or two failures; not plus three of its roots.
    return bool(failures > 2.0 * expected and failures > expected + 3.0 * expected**0.5)


def _share(counted: Series, begin: int, end: int) -> float:
    attempts = float(counted.attempts[begin:end].sum())
    return float(counted.failures[begin:end].sum()) / attempts if attempts else 0.0


def _loglik(failures: Floats, attempts: Floats) -> Floats:
    safe = np.maximum(attempts, 1.0)
    misses = attempts - failures
    return np.asarray(
        xlogy(failures, failures / safe) + xlogy(misses, misses / safe), dtype=np.float64
    )


def _piece(counted: Series, begin: int, end: int) -> Piece:
    return Piece(
        begin * counted.width,
        end * counted.width,
        int(counted.attempts[begin:end].sum()),
        int(counted.failures[begin:end].sum()),
    )


def _hotness(pieces: Sequence[Piece], price: float) -> Callable[[Piece], bool]:
    """Whether a piece clearly fails more often than the quiet ones.

    Quiet is the quietest, and whatever else might be of the same share: a stray failure between
    two bursts does not make them one.
    """
    quiet = Piece(0, 0, 0, 0)
    for piece in sorted(pieces, key=lambda piece: (piece.share, piece.begin)):
        if quiet.attempts and piece.share > HOT * quiet.share and _apart(quiet, piece) > price:
            break
        quiet = replace(
            quiet,
            attempts=quiet.attempts + piece.attempts,
            failures=quiet.failures + piece.failures,
        )
    else:
        return lambda _piece: False
    least = piece.share
    return lambda each: each.share >= least


def _apart(one: Piece, other: Piece) -> float:
    """Nats by which two shares explain two pieces better than one share does."""
    failures = np.asarray([one.failures, other.failures, one.failures + other.failures], float)
    attempts = np.asarray([one.attempts, other.attempts, one.attempts + other.attempts], float)
    first, second, both = _loglik(failures, attempts)
    return float(first + second - both)


def _joined(pieces: Sequence[Piece]) -> Piece:
    """Neighbours as one: a burst that swells and fades is one burst."""
    return Piece(
        pieces[0].begin,
        pieces[-1].end,
        sum(piece.attempts for piece in pieces),
        sum(piece.failures for piece in pieces),
    )


# Failures that come back: every n-th connection, or every so many seconds.
#
# Imported late: it needs numpy and scipy.

LEVEL = 0.01
LARGEST_CYCLE = 512
FEWEST = 8
"""Failures below which nothing periodic is claimed."""
PERIODS = 3000
FEWEST_TURNS = 4
"""A period must fit at least so often into the run."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """Failing connections sit at one place of a cycle of start indices (round robin)."""

    length: int
    hits: int
    of: int
    p_value: float

    @property
    def sentence(self) -> str:
        """What it means."""
        return (
            f"{self.hits} of {self.of} failing connections are at the same place of a cycle of "
            f"{self.length}, as when a balancer deals in turn and one of its"
            f" {self.length} places is bad"
        )


@dataclass(frozen=True, slots=True)
class Period:
    """Failures come back after a fixed time."""

    seconds: float
    p_value: float


def round_robin(starts: Sequence[int], share: float, workers: int = 1) -> Cycle | None:
    """The shortest cycle of start indices in which the failures share a place.

    Needs one generator and little concurrency, so that the order of our starts is the order at the
    balancer; else it finds nothing.

    Args:
        starts: start indices of the failing attempts.
        share: the failing share; a cycle shorter than it allows is not looked for.
        workers: how many processes shared the start indices. Worker w has those that leave w when
            divided by their number, so a cycle with a common factor would show our own workers.
    """
    if len(starts) < FEWEST or share >= 0.5:
        return None
    indices = np.asarray(starts, dtype=np.int64)
    best: Cycle | None = None
    tried = LARGEST_CYCLE - 1
    for length in range(2, LARGEST_CYCLE + 1):
        if gcd(length, workers) > 1:
            continue
        hits = int(np.bincount(indices % length).max())
        p = float(bdtrc(hits - 1, len(indices), 1.0 / length)) * length * tried
        if p <= LEVEL and (best is None or p < best.p_value * 1e-3):
            best = Cycle(length, hits, len(indices), p)
    return best


def period(line: BlockCounts) -> Period | None:
    """The period at which failing blocks line up best (Rayleigh's test, Bonferroni)."""
    failures = np.asarray(line.failures, dtype=np.float64)
    # One burst within a block is one event.
    failing = np.flatnonzero(failures)
    span = len(line.failures)
    if len(failing) < FEWEST or span < 4 * FEWEST_TURNS:
        return None
    frequencies = np.linspace(FEWEST_TURNS / span, 0.25, PERIODS)
    turns = np.exp(2j * pi * np.outer(frequencies, failing + 0.5)).sum(axis=1)
    power = np.abs(turns) ** 2 / len(failing)
    best = int(power.argmax())
    p = min(1.0, PERIODS * exp(-float(power[best])))
    if p > LEVEL:
        return None
    return Period(1.0 / float(frequencies[best]) * line.block_ns / 1e9, p)
