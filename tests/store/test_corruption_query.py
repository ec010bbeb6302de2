"""Rows have the types that were asked for, or are refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import msgspec
import pytest

from stress.store.corruption import check_numbers, checked, fetch_all


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    yield connection
    connection.close()


def test_rows_of_the_right_types_are_given(connection: sqlite3.Connection) -> None:
    rows = fetch_all(connection, "SELECT 1, 'a', NULL, x'00'", tuple[int, str, int | None, bytes])

    assert rows == [(1, "a", None, b"\x00")]


@pytest.mark.parametrize("value", ["'1'", "1.5", "NULL", "x'31'"])
def test_another_type_is_refused(connection: sqlite3.Connection, value: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        fetch_all(connection, f"SELECT {value}", tuple[int])


def test_text_is_not_taken_for_bytes() -> None:
    with pytest.raises(msgspec.ValidationError):
        checked("text", bytes)


@pytest.mark.parametrize("numbers", [[], [0], [0, 1, 2]])
def test_numbers_without_gaps_pass(numbers: list[int]) -> None:
    check_numbers(numbers)


@pytest.mark.parametrize("numbers", [[1], [0, 2], [0, 0], [1, 0], [-1, 0]])
def test_numbers_with_gaps_are_refused(numbers: list[int]) -> None:
    with pytest.raises(ValueError, match="gaps"):
        check_numbers(numbers)
