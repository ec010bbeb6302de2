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

Imported late: it needs numpy and scipy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stress.analysis.cohorts import Mask
from stress.analysis.tails import Floats, Integers, repeated_tail, weighted_tail

PASSES = 0.01
"""A cohort whose `within` is larger is not claimed."""


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
