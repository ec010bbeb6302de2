"""A damaged file is reported in a sentence, and its values are checked for their types."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from stress.errors import ExitCode, RunFileError
from stress.store.opening import check_numbers, checked, damaged, fetch_all, reading


@pytest.mark.parametrize(
    "error",
    [
        sqlite3.DatabaseError("database disk image is malformed"),
        sqlite3.OperationalError("no such column: lead"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        ValueError("'sunshine' is not a valid Category"),
        TypeError("unsupported operand"),
        KeyError("plan"),
        IndexError("list index out of range"),
        OverflowError("too large"),
        ZeroDivisionError("division by zero"),
        msgspec.ValidationError("Expected `int`, got `str`"),
    ],
)
def test_damage_is_told_with_the_path(error: Exception) -> None:
    with (
        pytest.raises(RunFileError, match=r"results/x\.db is damaged") as caught,
        reading(Path("results/x.db")),
    ):
        raise error

    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), RunFileError("other")])
def test_what_is_no_damage_passes(error: BaseException) -> None:
    with pytest.raises(type(error)), reading(Path("x.db")):
        raise error


def test_the_hint_says_what_may_help() -> None:
    assert "recover" in (damaged(Path("x.db"), "cut off").hint or "")


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
