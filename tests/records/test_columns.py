"""What becomes of a column: a dimension, ranges, the values that fail most, or nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.model.record import RecordColumn
from stress.records.columns import (
    MOST_DISTINCT,
    MOST_VALUES,
    Answers,
    Collected,
    Rows,
    joined,
    plain,
)


def column(
    values: Sequence[str | None], failed: Sequence[bool] | None = None, *, wanted: bool = False
) -> RecordColumn | str:
    collected = Collected()
    collected.add(values, len(values), slice(None))
    flags = np.zeros(len(values), np.bool_) if failed is None else np.asarray(failed)
    return collected.column("x", Rows(flags, None), wanted=wanted)


def texts(found: RecordColumn | str) -> list[str | None]:
    assert isinstance(found, RecordColumn)
    return [found.values[code - 1] if code else None for code in found.codes]


@given(st.lists(st.sampled_from(["a", "b", "ü\x1b[0m", None, "", "-", "NaN"]), min_size=2))
def test_few_values_are_a_dimension_and_missing_ones_are_none(values: list[str | None]) -> None:
    shown = [None if v in (None, "", "-", "NaN") else v.replace("\x1b", "\\x1b") for v in values]
    distinct = {value for value in shown if value is not None}

    found = column(values)

    if len(distinct) < 2:
        assert found == ("one value" if distinct else "no values")
    else:
        assert texts(found) == shown


def test_a_number_of_many_values_is_left_out_or_cut_into_ranges_on_request() -> None:
    values = [f"{number / 2:g}" for number in range(800)]

    assert column(values) == "a number of 800 values; --dimension cuts it into ranges"
    found = column(values, wanted=True)
    assert isinstance(found, RecordColumn)
    assert len(found.values) == 40
    for value, text in zip(values, texts(found), strict=True):
        low, high = (text or "").split(" to ")
        assert float(low) <= float(value) <= float(high)


def test_of_many_texts_those_that_fail_most_are_told_apart() -> None:
    values = [f"v{number % 600}" for number in range(6_000)]
    failed = [number % 600 in (7, 599) for number in range(6_000)]

    found = column(values, failed)

    assert isinstance(found, RecordColumn)
    assert (len(found.values), found.distinct) == (MOST_VALUES, 600)
    assert {"v7", "v599"} <= set(found.values)


@pytest.mark.parametrize("wanted", [False, True])
def test_far_too_many_values_are_no_dimension(wanted: bool) -> None:
    values = [f"v{number}" for number in range(MOST_DISTINCT + 1)]

    assert column(values, wanted=wanted) == "more than 100,000 values"


def test_many_texts_are_left_out_unless_they_are_asked_for() -> None:
    values = [f"v{number}" for number in range(1_500)]

    assert column(values) == "1,500 values"
    assert isinstance(column(values, wanted=True), RecordColumn)


def test_what_only_failed_rows_have_explains_nothing() -> None:
    values = ["handshake", "read", None, None]
    failed = [True, True, False, False]

    assert column(values, failed) == "a value in failed rows only"
    assert isinstance(column(values, failed, wanted=True), RecordColumn)


def test_the_quote_before_a_formula_is_taken_off() -> None:
    assert [plain(text) for text in ("'-9807", "'=A1", "'x", "''-1", "")] == [
        *("-9807", "=A1", "'x", "''-1", ""),
    ]


def test_answers_are_given_once_for_each_text_and_forgotten_when_they_are_too_many() -> None:
    asked: list[str | None] = []

    def answer(text: str | None) -> int:
        asked.append(text)
        return len(text or "")

    answers = Answers(answer)

    assert answers.of(["abc", "-", None, "abc", "'-1"]).tolist() == [3, 0, 0, 3, 2]
    assert asked == ["abc", None, None, "-1"]
    assert answers.of([str(number) for number in range(2 * MOST_DISTINCT)]).sum() > 0
    assert len(answers) <= MOST_DISTINCT


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(0, 2)), min_size=1),
    st.booleans(),
)
def test_joining_equal_rows_changes_no_count(
    rows: list[tuple[int, int, int]], weighted: bool
) -> None:
    blocks, outcomes, codes = (np.asarray(each) for each in zip(*rows, strict=True))
    weights = np.arange(1, len(rows) + 1) if weighted else None
    given_column = RecordColumn("x", ("a", "b"), codes.astype(np.uint8).tobytes(), 2)

    made = joined(
        blocks.astype(np.uint16), outcomes.astype(np.uint8), ("ok", "f"), weights, [given_column]
    )

    counts: dict[tuple[int, int, int], int] = {}
    kept = np.frombuffer(made.counts, np.int64) if made.counts else np.ones(len(made.outcomes))
    for block, outcome, code, count in zip(
        np.frombuffer(made.blocks, np.uint16),
        made.outcomes,
        made.columns[0].codes,
        kept,
        strict=True,
    ):
        key = (int(block), outcome, code)
        counts[key] = counts.get(key, 0) + int(count)
    expected: dict[tuple[int, int, int], int] = {}
    for number, key in enumerate(rows):
        expected[key] = expected.get(key, 0) + (number + 1 if weighted else 1)
    assert counts == expected
