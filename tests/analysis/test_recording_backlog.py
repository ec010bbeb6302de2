from collections.abc import Callable, Sequence

from stress.analysis.recording import with_backlog
from stress.model.run import Cell, Cube

SECOND = 1_000_000_000


def told(cells: Sequence[Cell]) -> list[tuple[int, int]]:
    """Block and segment of each cell, after the backlog was counted where it began."""
    return [(one.block, one.segment) for one in with_backlog(Cube(SECOND, cells)).cells]


def stretch(
    cell: Callable[..., Cell], segment: int, first: int, failing: Sequence[int]
) -> list[Cell]:
    """A block of 100 attempts for each number of failures."""
    cells: list[Cell] = []
    for block, failures in enumerate(failing, first):
        cells.append(cell(100 - failures, block=block, segment=segment))
        cells.append(cell(failures, block=block, segment=segment, outcome="timeout-handshake"))
    return [one for one in cells if one.count]


def test_failures_that_go_on_belong_to_the_stretch_in_which_they_began(
    cell: Callable[..., Cell],
) -> None:
    quiet = stretch(cell, 0, 0, [0, 0, 0, 0])
    rush = stretch(cell, 1, 4, [0, 0, 90, 95])
    after = stretch(cell, 2, 8, [95, 90, 0, 0, 0, 0])

    segments = dict(told([*quiet, *rush, *after]))

    assert [segments[block] for block in range(14)] == [0] * 4 + [1] * 6 + [2] * 4


def test_a_stray_failure_before_the_rush_does_not_begin_it(cell: Callable[..., Cell]) -> None:
    quiet = stretch(cell, 0, 0, [0, 0, 0, 1])
    rush = stretch(cell, 1, 4, [80, 80, 80, 80])

    assert {segment for block, segment in told([*quiet, *rush]) if block >= 4} == {1}


def test_a_stray_failure_between_two_rushes_does_not_join_them(cell: Callable[..., Cell]) -> None:
    cells = stretch(cell, 0, 0, [30, 30, 30, 30])
    cells += stretch(cell, 1, 4, [0, 0, 0, 1, 0, 0, 0, 0, 0, 0])
    cells += stretch(cell, 2, 14, [30, 30, 30, 30])

    assert told(cells) == [(one.block, one.segment) for one in cells]


def test_a_change_within_a_block_is_seen(cell: Callable[..., Cell]) -> None:
    """Segments do not begin where blocks do."""
    cells = [*stretch(cell, 0, 0, [0, 0, 0, 0]), *stretch(cell, 1, 3, [90, 90, 90])]

    assert told(cells) == [(one.block, one.segment) for one in cells]


def test_failures_that_never_change_stay_where_they_are(cell: Callable[..., Cell]) -> None:
    cells = [*stretch(cell, 0, 0, [5] * 10), *stretch(cell, 1, 10, [5] * 10)]
    cube = Cube(SECOND, cells)

    assert with_backlog(cube) is cube
    assert with_backlog(Cube(SECOND, [])).cells == []
