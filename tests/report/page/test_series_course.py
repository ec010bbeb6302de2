import pytest

from stress.model.run import Cell, Cube
from stress.report.page.series import MOST_WINDOWS, OTHER, FailureHistory, failure_history


def cell(block: int, outcome: str = "ok", count: int = 1) -> Cell:
    return Cell(block, 0, None, 0, None, None, None, None, None, None, 0, 5, outcome, count)


def test_attempts_and_failures_are_counted_by_window() -> None:
    cells = [cell(0, count=9), cell(0, "reset"), cell(2, "eof", 2), cell(2, "reset", 3)]

    assert failure_history(Cube(1_000, cells)) == FailureHistory(
        1_000, (10, 0, 5), (("reset", (1, 0, 3)), ("eof", (0, 0, 2)))
    )


def test_what_is_ours_and_what_was_not_sent_is_in_neither_count() -> None:
    cells = [cell(0, "cancelled", 5), cell(0, "not-sent", 7), cell(0, "local-ports", 9), cell(0)]

    assert failure_history(Cube(1_000, cells)) == FailureHistory(1_000, (1,), ())


@pytest.mark.parametrize(
    ("blocks", "windows", "factor"),
    [(0, 0, 1), (1, 1, 1), (MOST_WINDOWS, MOST_WINDOWS, 1), (MOST_WINDOWS + 1, 46, 2)],
)
def test_more_blocks_than_an_eye_tells_apart_are_gathered(
    blocks: int, windows: int, factor: int
) -> None:
    found = failure_history(Cube(1_000, [cell(block) for block in range(blocks)]))

    assert len(found.attempts) == windows
    assert sum(found.attempts) == blocks
    assert found.width_ns == 1_000 * factor


def test_rare_endings_become_one_and_none_is_lost() -> None:
    names = ["reset", "eof", "refused", "not-tls", "alert-40", "timeout-connect"]
    cells = [cell(0, name, 10 - index) for index, name in enumerate(names)]

    found = failure_history(Cube(1_000, cells))

    assert [name for name, _ in found.failures] == ["reset", "eof", "refused", OTHER]
    assert sum(sum(counts) for _, counts in found.failures) == sum(each.count for each in cells)


def test_nothing_of_the_starting_up_is_in_the_course() -> None:
    found = failure_history(Cube(1_000, [cell(5, count=9), cell(6, "reset")]))

    assert found == FailureHistory(1_000, (9, 1), (("reset", (0, 1)),), begun=5)
