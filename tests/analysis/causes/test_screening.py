"""Folding columns away changes no count and hides no cause."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from stress.analysis.causes.screening import tabulate_records
from stress.analysis.causes.table import Table
from stress.model.outcome import Stage
from stress.model.record import RecordColumn, RecordTable

ROWS = 60_000
SIZES = (6, 12, 20, 24, 3, 2, 16)
Codes = NDArray[np.int64]


def world(seed: int, rows: int = ROWS) -> tuple[np.random.Generator, list[Codes]]:
    random = np.random.default_rng(seed)
    return random, [random.integers(0, size + 1, rows) for size in SIZES]


def records(
    columns: list[Codes],
    outcomes: NDArray[np.bool_] | Codes,
    names: tuple[str, ...] = ("ok", "failed"),
    counts: Codes | None = None,
    called: list[str] | None = None,
) -> RecordTable:
    """The columns are called a, b, c …; 0 is no value."""
    rows = len(outcomes)
    return RecordTable(
        blocks=(np.arange(rows) * 50 // rows).astype(np.uint16).tobytes(),
        outcomes=outcomes.astype(np.uint8).tobytes(),
        names=names,
        counts=b"" if counts is None else counts.astype(np.int64).tobytes(),
        columns=tuple(
            RecordColumn(
                called[number] if called else "abcdefghij"[number],
                tuple(f"{value:03}" for value in range(1, int(codes.max()) + 1)),
                codes.astype(np.uint8).tobytes(),
                int(codes.max()),
            )
            for number, codes in enumerate(columns)
        ),
    )


def kept(table: Table) -> list[str]:
    return [str(column.dimension) for column in table.columns]


@pytest.mark.parametrize("seed", range(4))
def test_the_columns_of_a_planted_cause_are_kept_and_others_folded(seed: int) -> None:
    random, columns = world(seed)
    inside = (columns[1] == 4) & (columns[3] == 7)
    failed = random.random(ROWS) < np.where(inside, 0.3, 0.001)

    table = tabulate_records(records(columns, failed))

    assert {"b", "d"} <= set(kept(table))
    assert len(table.columns) <= 4
    assert len(table) < ROWS / 2
    assert table.considered > 10_000
    assert table.hypotheses > 1_000


@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_kept_where_nothing_is_to_blame(seed: int) -> None:
    random, columns = world(seed)

    table = tabulate_records(records(columns, random.random(ROWS) < 0.01))

    assert kept(table) == []
    assert table.considered > 10_000


def test_a_second_cause_below_the_first_is_kept_too() -> None:
    random, columns = world(11)
    chance = np.where(columns[2] == 3, 0.5, np.where(columns[0] == 2, 0.004, 0.0005))

    assert {"a", "c"} <= set(kept(tabulate_records(records(columns, random.random(ROWS) < chance))))


def test_another_name_of_the_same_rows_is_kept() -> None:
    random, columns = world(12)
    twin = columns[1].max() + 1 - columns[1]
    twin[columns[1] == 0] = 0
    failed = random.random(ROWS) < np.where(columns[1] == 5, 0.2, 0.001)

    table = tabulate_records(records([*columns, twin], failed))

    assert {"b", "h"} <= set(kept(table))


@pytest.mark.parametrize("weighted", [False, True])
def test_counts_are_those_of_the_rows(weighted: bool) -> None:
    random, columns = world(13, 3_000)
    failed = (columns[1] == 4) & (random.random(3_000) < 0.5)
    counts = random.integers(0, 9, 3_000) if weighted else None
    made = records(columns, failed, counts=counts)
    size = np.ones(3_000, np.int64) if counts is None else counts

    table = tabulate_records(made, keep={"b", "c"})

    assert kept(table) == ["b", "c"]
    assert table.counts.sum() == size.sum()
    for number, column in ((1, table.columns[0]), (2, table.columns[1])):
        for code in range(SIZES[number]):
            mine = columns[number] == code + 1
            rows = column.codes == code
            assert table.counts[rows].sum() == size[mine].sum()
            bad = rows & (table.outcomes.codes == 1)
            assert table.counts[bad].sum() == size[mine & failed].sum()


def test_a_column_of_many_values_is_searched_for_one_bad_value() -> None:
    random, columns = world(14)
    servers = random.integers(1, 251, ROWS)
    failed = random.random(ROWS) < np.where(servers == 199, 0.3, 0.002)

    assert kept(tabulate_records(records([*columns, servers], failed))) == ["h"]


def test_many_columns_are_searched_in_pairs() -> None:
    random = np.random.default_rng(15)
    columns = [random.integers(1, 30, 4_000) for _ in range(60)]
    failed = random.random(4_000) < np.where(columns[40] == 3, 0.4, 0.01)

    table = tabulate_records(
        records(columns, failed, called=[f"x{number}" for number in range(60)])
    )

    assert kept(table) == ["x40"]
    assert table.depth == 2


def test_an_export_of_ours_brings_its_chains_and_stages() -> None:
    chains, stages = np.asarray([1, 2, 0, 2]), np.asarray([1, 2, 2, 0])
    made = records(
        [chains, stages],
        np.asarray([0, 1, 0, 1]),
        ("ok", "expired-leaf"),
        called=["chain", "stage"],
    )
    labels = RecordColumn("stage", ("client-hello", "finished"), made.columns[1].codes, 2)
    numbers = RecordColumn("chain", ("7", "9"), made.columns[0].codes, 2)

    table = tabulate_records(
        RecordTable(made.blocks, made.outcomes, made.names, b"", (numbers, labels))
    )

    assert kept(table) == ["chain"]
    assert sorted(zip(table.chains.tolist(), table.stages.tolist(), strict=True)) == sorted(
        (chain, stage.order)
        for chain, stage in (
            (7, Stage.CLIENT_HELLO),
            (9, Stage.FINISHED),
            (-1, Stage.FINISHED),
            (9, Stage.FINISHED),
        )
    )
