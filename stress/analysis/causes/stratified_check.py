"""The second opinion on a cohort: does it hold inside the time blocks, one block at a time?

Who asks, and which address answers, may drift while a run goes on; and failures come in bursts. A
burst in a minute in which one client was busy makes that client look guilty in the whole cube.
Inside one block the mix does not drift, so there the cohort's failures are compared with its share
of that block alone:

* `within`: given each block's failures, those in the cohort are draws with its share of the block.
  A cohort that only happened to be busy during a burst does not pass this.
* `by_block`: the same with each block's failures falling all together, as one burst would. It asks
  whether the cohort fails again and again; one burst counts once. This decides the grade.

Both tails are Chernoff bounds, so they never claim too much.

Another dimension can stand in for time: a client that mostly asks one bad address fails more often
than others, and no more often than they do at each address (Simpson's paradox). `refuted` asks for
that: inside the strata of the other dimension, is "no effect" likelier than the effect that was
seen over all, and is there no sign of a smaller one? Strata in which a cohort has all or nothing
say nothing, so a dimension that merely follows from the cohort's cannot refute it.

Imported late: it needs numpy and scipy.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
from scipy.special import xlogy

from stress.analysis.causes.cohorts import Mask
from stress.analysis.proportions.binomial import Floats, Integers, repeated_tail, weighted_tail

PASSES = 0.01
"""A cohort whose `within` is larger is not claimed."""

AGAINST = log(20.0)
"""Nats by which the strata must prefer "no effect" to refute a cohort: twenty to one."""


@dataclass(frozen=True, slots=True)
class Robustness:
    """What the blocks say about a cohort."""

    within: float
    by_block: float
    failing_blocks: int
    """Blocks with a failure inside the cohort."""
    blocks: int
    """Blocks in which anything was attempted."""


def robustness(
    blocks: Integers, attempts: Integers, failures: Integers, inside: Mask
) -> Robustness:
    """Judges a cohort (a mask of rows) block by block."""
    length = int(blocks.max()) + 1 if len(blocks) else 0

    def by_block(weights: Integers, chosen: Mask | None = None) -> Floats:
        where = slice(None) if chosen is None else chosen
        counted = np.bincount(blocks[where], weights=weights[where], minlength=length)
        return counted.astype(np.float64, copy=False)

    size, hits = by_block(attempts, inside), by_block(failures, inside)
    all_size, all_hits = by_block(attempts), by_block(failures)
    failing = np.flatnonzero(all_hits)
    shares = size[failing] / all_size[failing]
    observed = float(hits.sum())
    return Robustness(
        within=repeated_tail(np.ones(len(failing)), shares, all_hits[failing], observed)
        if observed
        else 1.0,
        by_block=weighted_tail(all_hits[failing], shares, observed) if observed else 1.0,
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
    length = int(strata.max(initial=-1)) + 1

    def counted(weights: Integers, rows: Mask) -> Floats:
        return np.bincount(strata[rows], weights[rows], length).astype(np.float64, copy=False)

    size, hits = counted(attempts, inside), counted(failures, inside)
    other_size, other_hits = counted(attempts, outside), counted(failures, outside)
    if not other_size.any():
        return False  # nobody to compare with: what an early ending leaves unknown
    # Half a failure more everywhere keeps the ratio finite where one side has none.
    odds = (hits.sum() + 0.5) / (other_hits.sum() + 0.5)
    ratio = odds * other_size.sum() / max(1.0, size.sum())
    share = size / np.maximum(1.0, size + other_size)
    lifted = share * ratio / (share * ratio + 1.0 - share)
    both = (share > 0.0) & (share < 1.0)
    gain = xlogy(hits, np.where(both, lifted / np.where(both, share, 1.0), 1.0))
    loss = xlogy(other_hits, np.where(both, (1.0 - lifted) / np.where(both, 1.0 - share, 1.0), 1.0))
    if gain.sum() + loss.sum() >= -AGAINST:
        return False
    return repeated_tail(np.ones(length), share, hits + other_hits, float(hits.sum())) > PASSES
