"""Which failures belong to an earlier stretch of load: what a target still owes from a rush.

A queue outlives the rush that filled it. Whoever asks at a low rate right after a high one is
served late, and would be taken for a failure at a low rate. So failures that go on without a break
belong to the stretch in which they began, and so do the good attempts among them.

Subtle: this looks at when failures began and not at the rates, so failures that follow no rate
begin in any stretch, and nothing is made to follow the load by it (simulated in
`benchmarks/simulate.py`).

Imported late: it needs numpy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from stress.analysis.causes.changes import Piece, course, series
from stress.analysis.share.tails import Integers
from stress.analysis.tally import side_of
from stress.model.outcome import Side
from stress.model.run import Cell, Cube

Moment: TypeAlias = tuple[int, int]
"""A time block and a load segment in it: segments come one after the other, so these do too."""

MOST_MOMENTS = 2_000
BEGUN = 0.1
"""A burst has begun once this part of its failing share is reached; a stray failure is none."""


def with_backlog(cube: Cube) -> Cube:
    """The same attempts, each in the segment in which the failures began that it stands among."""
    began = _origins(cube.cells)
    if not began:
        return cube
    cells = tuple(
        cell
        if (origin := began.get((cell.block, cell.segment))) is None
        # Most cells of a run stand among no burst; only those that do are copied.
        else replace(cell, segment=origin)
        for cell in cube.cells
    )
    return replace(cube, cells=cells)


def _origins(cells: Sequence[Cell]) -> Mapping[Moment, int]:
    """The segment in which it began, for each moment that still fails from an earlier one."""
    counts: dict[Moment, list[int]] = {}
    for cell in cells:
        side, both = side_of(cell.outcome), counts.setdefault((cell.block, cell.segment), [0, 0])
        if side in {Side.NOBODY, Side.TARGET}:
            both[0] += cell.count
            both[1] += cell.count if side is Side.TARGET else 0
    if len({segment for _, segment in counts}) < 2:
        return {}
    moments = sorted(counts)
    attempts, failures = np.asarray([counts[moment] for moment in moments], dtype=np.int64).T
    found = course(series(np.arange(len(moments)), attempts, failures, MOST_MOMENTS))
    origins: dict[Moment, int] = {}
    for place in found.hot:
        piece = found.pieces[place]
        first = _begin(piece, attempts, failures)
        _, segment = moments[first]
        origins |= {one: segment for one in moments[first : piece.end] if one[1] != segment}
    return origins


def _begin(piece: Piece, attempts: Integers, failures: Integers) -> int:
    """The first moment of a burst in which it really fails."""
    inside = slice(piece.begin, piece.end)
    failing = failures[inside] > BEGUN * piece.share * attempts[inside]
    return piece.begin + int(failing.argmax())
