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

Another dimension can stand in for time: a client that mostly uses one bad address fails more often
than others, and no more often than they do at each address (Simpson's paradox). `refuted` tests for
that: inside the strata of the other dimension, is "no effect" likelier than the effect that was
seen over all, and is there no sign of a smaller one? Strata in which a cohort has all attempts or
none carry no information, so a dimension that merely follows from the cohort's cannot refute it.

Imported late: it needs numpy and scipy.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
from scipy.special import xlogy

from stress.analysis.causes.cohorts import Mask
from stress.analysis.proportions.binomial import Floats, Integers, weighted_tail

PASSES = 0.01
"""A cohort whose `within` is larger is not claimed."""

AGAINST = log(20.0)
"""Nats by which the strata must prefer "no effect" to refute a cohort: twenty to one."""


@dataclass(frozen=True, slots=True)
class Robustness:
    """How a cohort's failures spread over the blocks."""

    within: float
    by_block: float
    failing_blocks: int
    """Blocks with a failure inside the cohort."""
    blocks: int
    """Blocks with an attempt."""


def robustness(
    blocks: Integers, attempts: Integers, failures: Integers, inside: Mask
) -> Robustness:
    """Tests a cohort (a mask of rows) block by block."""
    size, hits = _by_stratum(blocks, attempts, inside), _by_stratum(blocks, failures, inside)
    everywhere = np.ones_like(inside)
    all_size = _by_stratum(blocks, attempts, everywhere)
    all_hits = _by_stratum(blocks, failures, everywhere)
    failing = np.flatnonzero(all_hits)
    weights, shares = all_hits[failing], size[failing] / all_size[failing]
    observed = float(hits.sum())
    return Robustness(
        within=weighted_tail(np.ones(len(failing)), shares, observed, weights) if observed else 1.0,
        by_block=weighted_tail(weights, shares, observed) if observed else 1.0,
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
