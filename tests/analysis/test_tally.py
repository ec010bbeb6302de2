from collections import Counter
from collections.abc import Callable
from random import Random

import pytest

from stress.analysis.tally import by_block, chosen, count, counted_by, parted
from stress.model.claims import FailureCount
from stress.model.outcome import Stage
from stress.model.run import Cell, Cells


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


@pytest.fixture(scope="module", params=[40, 1_000_000], ids=["dense", "sparse"])
def many(request: pytest.FixtureRequest, cell: Callable[..., Cell]) -> list[Cell]:
    """Cells as they come, some of them more than once."""
    random = Random(26)
    return [
        cell(
            random.randrange(1, 9),
            block=random.randrange(request.param),
            address=random.randrange(5),
            outcome=random.choice(["ok", "ok", "reset", "cancelled"]),
        )
        for _ in range(300)
    ]


def test_cells_by_columns_are_the_same_cells(many: list[Cell]) -> None:
    columns = Cells.of_cells(many)

    assert list(columns) == many
    assert (columns[7], columns[-1], columns[2:4]) == (many[7], many[-1], many[2:4])
    assert len(columns.kinds) <= 15
    assert Cells.of_cells(columns) is columns
    assert count(columns) == count(many)


def test_blocks_count_every_cell(many: list[Cell]) -> None:
    naive: Counter[tuple[int, int]] = Counter()
    for one in many:
        naive[one.block, one.address] += one.count

    assert by_block(many, lambda one: one.address) == naive
    assert [block for block, _ in by_block(many, lambda one: one.address)] == sorted(
        block for block, _ in naive
    )
    assert by_block([], lambda one: one.address) == {}


def test_parts_hold_the_cells_in_their_order(many: list[Cell]) -> None:
    parts = parted(many, lambda one: one.address)

    assert list(parts) == list(dict.fromkeys(one.address for one in many))
    for address, part in parts.items():
        assert list(part) == [one for one in many if one.address == address]
        assert {kind.address for kind in part.kinds} == {address}
    assert parted([], lambda one: one.address) == {}


def test_chosen_cells_leave_no_kind_without_a_cell(many: list[Cell]) -> None:
    good = [one.outcome == "ok" for one in many]
    columns = chosen(Cells.of_cells(many), good)

    assert list(columns) == [one for one in many if one.outcome == "ok"]
    assert {kind.outcome for kind in columns.kinds} == {"ok"}


def test_only_what_happened_is_counted(cell: Callable[..., Cell]) -> None:
    counted = counted_by([cell(3), cell(0, address=1)], lambda one: one.address)

    assert counted == {0: FailureCount(0, 3)}
