"""Checks a cohort within strata: in each block of time, and in each value of another dimension.

The mix of clients and addresses may drift during a run, and failures come in bursts. A burst in a
minute in which one client was busy makes that client look guilty in the whole cube. Inside one
block the mix does not drift, so there the cohort's failures are compared with its part of that
block's attempts:

* `within`: given each block's failures, those in the cohort are draws with its part of the block.
  A cohort that only happened to be busy during a burst does not pass this.
* `by_block`: the same with each block's failures falling all together, as in one burst. It shows
  whether the cohort fails in block after block; one burst counts once. This decides the grade.

Both tails are Chernoff bounds, so they never claim too much.

The mix may drift inside a block as well. Where failures stand closer together in their block than
chance puts them, those of one short episode are one observation for `within`, too: otherwise
whoever had their turn then looks guilty. Steady failures do not stand close, so nothing is lost.

Another dimension can stand in for time: a client that mostly uses one bad address fails more often
than others, and no more often than they do at each address (Simpson's paradox). `refuted` tests for
that: inside the strata of the other dimension, is "no effect" likelier than the effect that was
seen over all, and is there no sign of a smaller one? Strata in which a cohort has all attempts or
none carry no information, so a dimension that merely follows from the cohort's cannot refute it.

Imported late: it needs numpy and scipy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, pairwise
from math import exp, log, sqrt
from statistics import fmean, median
from typing import TypeAlias

import numpy as np

from stress.analysis.causes.cohorts import Mask
from stress.analysis.proportions.binomial import Floats, Integers, log_choose, weighted_tail

PASSES = 0.01
"""A cohort whose `within` is larger is not claimed."""

AGAINST = log(20.0)
"""Nats by which the strata must prefer "no effect" to refute a cohort: twenty to one."""


CLOSE = 2.33
"""Standard errors by which failures stand closer together than chance puts them (one in 100)."""
PART_OF_MEAN, TIMES_MEDIAN = 0.1, 6.0
"""More attempts without a failure than both, this part of the mean distance in the run and so many
median gaps, end an episode."""

Parts: TypeAlias = Mapping[int, tuple[float, ...]]
"""Block -> which part of its failures came in each of its episodes."""


@dataclass(frozen=True, slots=True)
class Robustness:
    """How a cohort's failures spread over the blocks."""

    within: float
    by_block: float
    failing_blocks: int
    """Blocks with a failure inside the cohort."""
    blocks: int
    """Blocks with an attempt."""


def episode_parts(failing: Iterable[tuple[int, int]], attempts: Mapping[int, int]) -> Parts | None:
    """How the failures of each block fall into episodes; None where they came independently.

    Distances are counted in attempts, not in time: a short run, a closed loop or a pause would look
    like an episode.

    Args:
        failing: block and start index of attempts that failed.
        attempts: by block.
    """
    inside: defaultdict[int, list[int]] = defaultdict(list)
    for block, start in sorted(failing):
        inside[block].append(start)
    gaps = [
        (later - one, len(starts), max(attempts.get(block, 0), starts[-1] - starts[0] + 1))
        for block, starts in inside.items()
        for one, later in pairwise(starts)
    ]
    if not gaps:
        return None
    chances = [
        1.0 - (_farther(gap - 1, count, size) + _farther(gap, count, size)) / 2.0
        for gap, count, size in gaps
    ]
    if (0.5 - fmean(chances)) * sqrt(12.0 * len(chances)) < CLOSE:
        return None
    mean = sum(attempts.values()) / sum(map(len, inside.values()))
    quiet = max(PART_OF_MEAN * mean, TIMES_MEDIAN * median(gap for gap, _, _ in gaps))
    parts: dict[int, tuple[float, ...]] = {}
    for block, starts in inside.items():
        sizes = [1]
        for one, later in pairwise(starts):
            if later - one > quiet:
                sizes.append(0)
            sizes[-1] += 1
        parts[block] = tuple(size / len(starts) for size in sizes)
    return parts


def _farther(gap: int, count: int, size: int) -> float:
    """P(the next is farther away than this), for `count` random ones of `size`."""
    if size - gap < count:
        return 0.0
    return exp(log_choose(size - gap, count) - log_choose(size, count))


def robustness(
    blocks: Integers,
    attempts: Integers,
    failures: Integers,
    inside: Mask,
    parts: Parts | None = None,
) -> Robustness:
    """Tests a cohort (a mask of rows) block by block.

    Args:
        blocks: of each row.
        attempts: of each row.
        failures: of each row.
        inside: the rows of the cohort.
        parts: the episodes in the blocks; in a block without any all failures are one. None: each
            failure is an observation.
    """
    size, hits = _by_stratum(blocks, attempts, inside), _by_stratum(blocks, failures, inside)
    everywhere = np.ones_like(inside)
    all_size = _by_stratum(blocks, attempts, everywhere)
    all_hits = _by_stratum(blocks, failures, everywhere)
    failing = np.flatnonzero(all_hits)
    weights, shares = all_hits[failing], size[failing] / all_size[failing]
    observed = float(hits.sum())
    if parts is None:
        within = weighted_tail(np.ones(len(failing)), shares, observed, weights)
    else:
        split = [parts.get(block, (1.0,)) for block in failing.tolist()]
        counts = [len(part) for part in split]
        episodes = np.fromiter(chain.from_iterable(split), np.float64) * np.repeat(weights, counts)
        within = weighted_tail(episodes, np.repeat(shares, counts), observed)
    return Robustness(
        within=within,
        by_block=weighted_tail(weights, shares, observed),
        failing_blocks=int(np.count_nonzero(hits)),
        blocks=int(np.count_nonzero(all_size)),
    )


def refuted(strata: Integers, attempts: Integers, failures: Integers, inside: Mask) -> bool:
    """Whether a cohort fails no more often than others in the same stratum of something else.

    Args:
        strata: of each row; rows of an unknown one (-1) are left out.
        attempts: of each row.
        failures: of each row.
        inside: the rows of the cohort.
    """
    from scipy.special import xlogy  # noqa: PLC0415 - heavy

    known = strata >= 0
    outside = ~inside & known
    inside = inside & known
    size, hits = _by_stratum(strata, attempts, inside), _by_stratum(strata, failures, inside)
    other_size = _by_stratum(strata, attempts, outside)
    other_hits = _by_stratum(strata, failures, outside)
    if not other_size.any():
        return False  # nothing to compare with: an early outcome leaves the value unknown
    # Half a failure more on both sides keeps the ratio finite where one side has none.
    odds = (hits.sum() + 0.5) / (other_hits.sum() + 0.5)
    ratio = odds * other_size.sum() / max(1.0, size.sum())
    share = size / np.maximum(1.0, size + other_size)
    lifted = share * ratio / (share * ratio + 1.0 - share)
    both = (share > 0.0) & (share < 1.0)
    gain = xlogy(hits, np.where(both, lifted / np.where(both, share, 1.0), 1.0))
    loss = xlogy(other_hits, np.where(both, (1.0 - lifted) / np.where(both, 1.0 - share, 1.0), 1.0))
    if gain.sum() + loss.sum() >= -AGAINST:
        return False
    return weighted_tail(np.ones(len(share)), share, float(hits.sum()), hits + other_hits) > PASSES


def _by_stratum(strata: Integers, weights: Integers, rows: Mask) -> Floats:
    """The sum of the weights of these rows in each stratum."""
    counted = np.bincount(strata[rows], weights[rows], int(strata.max(initial=-1)) + 1)
    return counted.astype(np.float64, copy=False)
