"""When the failure rate changed during a run, and whether failures recur at a fixed interval.

**Change points.** The run's time blocks are cut into pieces of constant failure rate by exact
dynamic programming (optimal partitioning: Jackson et al. 2005, "An algorithm for optimal
partitioning of data on an interval"). A cut has to gain a price in log-likelihood, 1.5 ln(blocks)
nats, which is high enough that a run without a change stays in one piece. None of this is a
p-value. Pieces are then labelled hot or quiet, and neighbours with the same label are joined.

**Recurrence.** Two independent tests: whether the failing attempts share a remainder of their start
index (a balancer that deals connections in turn, with one bad member), and whether the failing
blocks line up at one frequency (Rayleigh's test of a periodogram). Both correct for the number of
cycle lengths or frequencies that were tried (Bonferroni).

Imported late: it needs numpy and scipy.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, gcd, inf, log, pi

import numpy as np

from stress.analysis.proportions.binomial import Floats, Integers, log_choose, log_likelihood
from stress.model.claims import Lockout, Recurrence, Shape

MOST_BLOCKS = 400
CUT = 1.5
"""Price of a cut, in units of ln(blocks)."""
CHEAPEST_CUT = 7.0
"""Lowest price, for short runs: with few blocks, 1.5 ln(blocks) is too small."""
DROP = 8.0
"""Twice the log-likelihood that a change point may lose and stay within the 95% interval."""
EDGE = 2
"""Blocks by which a cut may move to where the change really was."""
UNEVEN = 0.2
"""Relative difference between the gaps of bursts up to which they are evenly spaced."""
HOT = 2.0
"""A hot piece has at least this many times the failure rate of the quiet ones."""

LEVEL = 0.01
LARGEST_CYCLE = 512
FEWEST = 8
"""Failures below which no recurrence is claimed."""
PERIODS = 3000
"""Frequencies that are tested."""
FEWEST_AFTER, BY_CHANCE = 20, 1e-6
"""Attempts that fail up to the end of the run, and how likely that may be by chance."""
SURE_NOT, SURE_NOT_AGAIN = 1e-6, 1e-4
"""How likely independent failures may leave out the first attempts, or so many in a row later: of
such rows there are many."""
EARLY = 0.25
"""Of the run: failures that begin later begin at a time, not after a number of connections."""
AS_MANY = 1 / 4
"""Part of the first ones that has to pass in succession later, so as to be as many."""
MOSTLY = 0.9
"""Of the later ones: where as many fail, hardly any pass again, in whatever portions."""
EQUAL = 0.03
"""Relative difference up to which portions that passed are those of one limit."""
FEWEST_TURNS = 4
"""Times that a period has to fit into the run."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Attempts and failures by time block; block i covers `width` original blocks."""

    attempts: Floats
    failures: Floats
    width: int

    def __len__(self) -> int:
        return len(self.attempts)

    def piece(self, begin: int, end: int) -> Piece:
        """The counts of the blocks from `begin` to before `end`."""
        return Piece(
            begin * self.width,
            end * self.width,
            int(self.attempts[begin:end].sum()),
            int(self.failures[begin:end].sum()),
        )


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of time with one failure rate; blocks are original ones, the end exclusive."""

    begin: int
    end: int
    attempts: int
    failures: int

    @property
    def share(self) -> float:
        """Failures divided by attempts, 0 without attempts."""
        return self.failures / self.attempts if self.attempts else 0.0


@dataclass(frozen=True, slots=True)
class Instant:
    """A change point in original blocks: the likeliest block boundary and its 95% interval."""

    low: int
    best: int
    high: int


@dataclass(frozen=True, slots=True)
class TimeProfile:
    """The run cut into pieces, alternately hot and quiet."""

    pieces: tuple[Piece, ...]
    hot: tuple[int, ...]
    """Indices of the hot pieces; empty when the failure rate is constant."""
    onset: Instant | None = None
    """When the failure rate changed once and for good; None when it did not."""

    @property
    def shape(self) -> Shape:
        """What the failure rate did."""
        if not self.hot:
            return Shape.CONSTANT
        if len(self.hot) > 1:
            return Shape.BURSTS
        if self.hot[0] == len(self.pieces) - 1:
            return Shape.BEGAN
        return Shape.ENDED if self.hot[0] == 0 else Shape.WINDOW


def lockout(good: Sequence[int], failed: Sequence[int], failures: int) -> Lockout | None:
    """From when on nothing gets through; None where good attempts may just have come to an end.

    It looks at single attempts, because a lockout may come within the first second.

    Args:
        good: when each good attempt began, Unix nanoseconds.
        failed: when failures began, the first of them at least until nothing got through.
        failures: how many there are.
    """
    if not good or not failed:
        return None
    last = max(good)
    before = len(good) + sum(one <= last for one in failed)
    after = len(good) + failures - before
    # By chance all good ones would be among so many first ones.
    chance = log_choose(before, len(good)) - log_choose(before + after, len(good))
    if max(failed) <= last or after < FEWEST_AFTER or chance > log(BY_CHANCE):
        return None
    return Lockout(last, len(good), before, after)


def passed_first(met: Sequence[int], attempts: int, failures: int, *, follow: bool = False) -> int:
    """How many attempts passed before the first failure, where a limit would be the reason; or 0.

    A broken node fails from the beginning on; a limit of our load lets a number of connections
    pass. More pass again in equal portions, one in each of the limit's windows, or whenever chance
    makes us offer less. A limit that others reach, or a restart, comes and goes at any time.

    Args:
        met: start indices of the failing attempts in order, all of them or the first.
        attempts: how many there are.
        failures: how many of them failed.
        follow: failures follow our arrivals.
    """
    first = min(met, default=0)
    share = failures / max(1, attempts - first)
    passes = -log(1.0 - min(share, 1.0 - 1e-9))  # nats that each further good one is worth
    if not failures or first > EARLY * attempts or passes * first < -log(SURE_NOT):
        return 0
    if follow or share > MOSTLY or len(met) < failures:  # or what came later is not known
        return first
    *between, after = (np.diff([*met, attempts]) - 1).tolist()
    long = max(AS_MANY * first, -log(SURE_NOT_AGAIN) / passes)
    portions = [passed for passed in between if passed > long]
    if not portions and after <= long:
        return first
    portions += [first] if len(portions) == 1 else []
    equal = len(portions) > 1 and max(portions) - min(portions) <= EQUAL * max(portions)
    return first if equal and after <= max(portions) else 0


def series(
    blocks: Integers, attempts: Integers, failures: Integers, most: int = MOST_BLOCKS
) -> Series:
    """Counts rows by time block; joins neighbours until there are at most `most`."""
    length = int(blocks.max()) + 1 if len(blocks) else 0
    width = max(1, -(-length // most))
    places, count = blocks // width, -(-length // width)
    return Series(
        np.bincount(places, weights=attempts, minlength=count).astype(np.float64, copy=False),
        np.bincount(places, weights=failures, minlength=count).astype(np.float64, copy=False),
        width,
    )


def time_profile(counted: Series) -> TimeProfile:
    """Cuts the series where the failure rate changed."""
    price = max(CHEAPEST_CUT, CUT * log(max(2, len(counted))))
    cuts = _settled(counted, _partition(counted, price))
    pieces = [counted.piece(begin, end) for begin, end in itertools.pairwise(cuts)]
    threshold = _hot_from(pieces, price)
    hot = [piece.share >= threshold for piece in pieces]
    # A burst that swells and fades is one burst: only a cut between hot and quiet stays.
    inner = zip(cuts[1:], itertools.pairwise(hot), strict=False)
    edges = [*cuts[:1], *(cut for cut, (one, two) in inner if one != two), *cuts[1:][-1:]]
    joined = tuple(counted.piece(begin, end) for begin, end in itertools.pairwise(edges))
    # They alternate, so that every second one is hot.
    first = 0 if hot[:1] == [True] else 1
    found = TimeProfile(joined, tuple(range(first, len(joined), 2)))
    once = found.shape in {Shape.BEGAN, Shape.ENDED}
    return replace(found, onset=onset(counted)) if once else found


def _partition(counted: Series, price: float) -> list[int]:
    """Boundaries of the best cut, from 0 to the length (Jackson's recursion)."""
    length = len(counted)
    failures = np.concatenate(([0.0], np.cumsum(counted.failures)))
    attempts = np.concatenate(([0.0], np.cumsum(counted.attempts)))
    cost = np.zeros(length + 1)
    previous = np.zeros(length + 1, dtype=np.int64)
    for end in range(1, length + 1):
        inside = log_likelihood(failures[end] - failures[:end], attempts[end] - attempts[:end])
        candidates = cost[:end] - inside + price
        previous[end] = candidates.argmin()
        cost[end] = candidates[previous[end]]
    cuts = [length]
    while cuts[-1] > 0:
        cuts.append(int(previous[cuts[-1]]))
    return cuts[::-1]


def _settled(counted: Series, cuts: list[int]) -> list[int]:
    """Moves each cut by a block or two where the change came in the middle of a block.

    The block in which a window ends belongs to it in part. A cut of its own is not worth the
    price, and on the quiet side it would look like failures after the end of the window.
    """
    settled = list(cuts)
    for place in range(1, len(cuts) - 1):
        begin, cut, end = settled[place - 1], settled[place], cuts[place + 1]
        falls = counted.piece(begin, cut).share > counted.piece(cut, end).share
        for _ in range(EDGE):
            edge = cut if falls else cut - 1
            quiet = (cut + 1, end) if falls else (begin, cut - 1)
            expected = counted.piece(*quiet).share * counted.attempts[edge]
            # Twice the expectation can be chance when one or two failures are expected; three
            # standard deviations above it cannot.
            clearly = max(2.0 * expected, expected + 3.0 * expected**0.5)
            if quiet[0] >= quiet[1] or counted.failures[edge] <= clearly:
                break
            cut += 1 if falls else -1
        settled[place] = cut
    return settled


def _hot_from(pieces: Sequence[Piece], price: float) -> float:
    """The failure rate from which on a piece is hot; infinite when none clearly is.

    Quiet is the quietest piece, and whatever else may have the same rate: a stray failure between
    two bursts does not make them one.
    """
    attempts = failures = 0
    for piece in sorted(pieces, key=lambda piece: (piece.share, piece.begin)):
        if attempts and piece.share > HOT * failures / attempts:
            # Nats by which two rates explain the quiet pieces and this one better than one rate.
            quiet, own, both = log_likelihood(
                np.asarray([failures, piece.failures, failures + piece.failures], float),
                np.asarray([attempts, piece.attempts, attempts + piece.attempts], float),
            )
            if quiet + own - both > price:
                return piece.share
        attempts, failures = attempts + piece.attempts, failures + piece.failures
    return inf


def onset(counted: Series) -> Instant | None:
    """The likeliest instant of one single change, with its interval; None without failures.

    The interval holds all boundaries that lose at most 4 nats (2 * 4 = 8): simulated coverage is
    0.97. The usual 3.84 of the chi-square gives only 0.8, because the likelihood is jagged.
    """
    total, attempts = counted.failures.sum(), counted.attempts.sum()
    if len(counted) < 2 or not total:
        return None
    failures_before = np.cumsum(counted.failures)[:-1]
    before = np.cumsum(counted.attempts)[:-1]
    gain = log_likelihood(failures_before, before) + log_likelihood(
        total - failures_before, attempts - before
    )
    near = np.flatnonzero(2.0 * (gain.max() - gain) <= DROP) + 1
    best = int(gain.argmax()) + 1
    return Instant(
        int(near[0]) * counted.width, best * counted.width, int(near[-1]) * counted.width
    )


def rhythm(found: TimeProfile) -> float | None:
    """Blocks from burst to burst, when at least three are evenly spaced; else None."""
    begins = [found.pieces[place].begin for place in found.hot]
    gaps = [after - before for before, after in itertools.pairwise(begins)]
    if len(gaps) < 2:
        return None
    middle = sum(gaps) / len(gaps)
    slack = max(2.0, UNEVEN * middle)
    return middle if max(gaps) - min(gaps) <= slack < middle else None


def round_robin(starts: Sequence[int], share: float, workers: int = 1) -> Recurrence | None:
    """The shortest cycle of start indices in which the failures share a place.

    Needs one generator and little concurrency, so that attempts reach the balancer in the order of
    their starts; else it finds nothing.

    Args:
        starts: start indices of the failing attempts.
        share: the failure rate; at half or more, every second connection fails and no cycle is
            looked for.
        workers: how many processes share the start indices. Worker w has those that leave w when
            divided by their number, so a cycle with a common factor would show our own workers.
    """
    if len(starts) < FEWEST or share >= 0.5:
        return None
    from scipy.special import bdtrc  # noqa: PLC0415 - heavy

    indices = np.asarray(starts, dtype=np.int64)
    best: tuple[float, Recurrence] | None = None
    tried = LARGEST_CYCLE - 1
    for length in range(2, LARGEST_CYCLE + 1):
        if gcd(length, workers) > 1:
            continue
        hits = int(np.bincount(indices % length).max())
        p = float(bdtrc(hits - 1, len(indices), 1.0 / length)) * length * tried
        # Multiples of the true length pass, too: prefer the shortest unless one is far better.
        if p <= LEVEL and (best is None or p < best[0] * 1e-3):
            best = p, Recurrence(length, hits, len(indices))
    return best[1] if best else None


def period(failing: Integers, span: int, block_ns: int) -> Recurrence | None:
    """The period at which failing blocks line up best (Rayleigh's test, Bonferroni).

    Args:
        failing: the blocks with failures, each once: one burst within a block is one event.
        span: blocks of the run.
        block_ns: length of a block.
    """
    if len(failing) < FEWEST or span < 4 * FEWEST_TURNS:
        return None
    frequencies = np.linspace(FEWEST_TURNS / span, 0.25, PERIODS)
    # In parts: all at once they would take more memory than the whole table.
    turns = np.concatenate(
        [
            np.exp(2j * pi * np.outer(some, failing + 0.5)).sum(axis=1)
            for some in np.array_split(frequencies, PERIODS // 64)
        ]
    )
    power = np.abs(turns) ** 2 / len(failing)
    best = int(power.argmax())
    p = min(1.0, PERIODS * exp(-float(power[best])))
    if p > LEVEL:
        return None
    return Recurrence(seconds=1.0 / float(frequencies[best]) * block_ns / 1e9)
