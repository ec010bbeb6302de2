"""Failures over time: the blocks of the cube, gathered into as many as an eye can tell apart."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from stress.analysis.tally import side_of
from stress.model.outcome import Side
from stress.model.run import Cube

MOST_WINDOWS = 90
MOST_SERIES = 4
"""Kinds of failure that are told apart; the rarest of more than these become `other`."""
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Course:
    """Attempts and failures in windows of equal width, from the start of the run."""

    width_ns: int
    attempts: tuple[int, ...]
    """Attempts that say something about the target, by window."""
    failures: tuple[tuple[str, tuple[int, ...]], ...]
    """Name of an ending, and its failures by window; the most frequent first."""


def course(cube: Cube) -> Course:
    """Count attempts and failures by window of `due` time."""
    blocks: defaultdict[tuple[int, str], int] = defaultdict(int)
    for cell in cube.cells:
        blocks[cell.block, cell.outcome] += cell.count
    last = max((block for block, _ in blocks), default=-1)
    factor = max(0, last) // MOST_WINDOWS + 1
    windows = last // factor + 1
    attempts = [0] * windows
    failures: defaultdict[str, list[int]] = defaultdict(lambda: [0] * windows)
    for (block, outcome), count in blocks.items():
        side = side_of(outcome)
        if side in (Side.NOBODY, Side.TARGET):
            attempts[block // factor] += count
        if side is Side.TARGET:
            failures[outcome][block // factor] += count
    return Course(cube.block_ns * factor, tuple(attempts), _ranked(failures))


def _ranked(failures: dict[str, list[int]]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """The most frequent endings by themselves, the rest as one."""
    totals = Counter({name: sum(counts) for name, counts in failures.items()})
    names = sorted(totals, key=lambda name: (-totals[name], name))
    if len(names) > MOST_SERIES:
        rare = [failures[name] for name in names[MOST_SERIES - 1 :]]
        names = [*names[: MOST_SERIES - 1], OTHER]
        failures = {**failures, OTHER: _summed(rare)}
    return tuple((name, tuple(failures[name])) for name in names)


def _summed(rows: Sequence[Sequence[int]]) -> list[int]:
    return [sum(column) for column in zip(*rows, strict=True)]
