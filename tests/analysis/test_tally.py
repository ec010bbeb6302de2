from collections.abc import Callable

from stress.analysis.tally import count
from stress.model.claims import FailureCount
from stress.model.outcome import Stage
from stress.model.run import Cell


def test_only_what_says_something_about_the_target_counts(cell: Callable[..., Cell]) -> None:
    tally = count(
        [
            cell(90),
            cell(6, outcome="reset", stage=Stage.CLIENT_HELLO, chain=None, address=1),
            cell(2, outcome="expired-leaf", chain=2),
            cell(3, outcome="local-ports"),
            cell(4, outcome="cancelled"),
            cell(5, outcome="not-sent", block=9),
        ]
    )

    assert (tally.attempts, tally.failures, tally.completed) == (98, 8, 92)
    assert (tally.local, tally.cancelled, tally.not_sent) == (3, 4, 5)
    assert tally.categories == {"reset": 6, "expired-leaf": 2}
    assert tally.stages["reset"] == {"client-hello": 6}
    assert tally.addresses == {0: FailureCount(2, 92), 1: FailureCount(6, 6)}
    assert tally.good_chains == {1}
    assert tally.last_block == 9


def test_nothing_counts_as_nothing() -> None:
    tally = count([])

    assert (tally.attempts, tally.failures, tally.last_block) == (0, 0, -1)


def test_the_order_of_the_cells_changes_nothing(cell: Callable[..., Cell]) -> None:
    cells = [cell(5), cell(3, outcome="reset"), cell(3, outcome="eof"), cell(1, address=2)]

    assert count(cells) == count(cells[::-1])
