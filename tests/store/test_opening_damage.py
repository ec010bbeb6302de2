"""A damaged file is reported in a sentence, and its values are checked for their types."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from stress.errors import ExitCode, RunFileError
from stress.store.opening import (
    Whole,
    check_numbers,
    checked,
    damaged,
    fetch_all,
    reading,
)


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
    with pytest.raises(ValueError, match=r"is .+: Expected int"):
        fetch_all(connection, f"SELECT {value}", tuple[int])


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT port, note FROM door", r"door\.port is -15: Expected int >= 0"),
        ("SELECT door.port AS number, note FROM door", r"door\.port is -15: Expected int >= 0"),
        ("SELECT max(port, -7) AS most, note FROM door", "^most is -7: Expected int >= 0"),
        ("SELECT 3, port FROM door", r"door\.port is -15: Expected str, got int"),
        (
            "SELECT 3, x'00ff' AS blob FROM door",
            r"is b'\\x00\\xff': Expected str, got bytes",
        ),
    ],
)
def test_a_value_is_refused_with_its_table_and_column(
    connection: sqlite3.Connection, sql: str, said: str
) -> None:
    connection.execute("CREATE TABLE door (port INTEGER, note TEXT)")
    connection.execute("INSERT INTO door VALUES (-15, 'green')")

    with pytest.raises(ValueError, match=said):
        fetch_all(connection, sql, tuple[Whole, str])


def test_a_single_value_is_refused_with_its_name() -> None:
    with pytest.raises(ValueError, match=r"^meta\.counted is -1: Expected int >= 0$"):
        checked("meta.counted", -1, Whole)


def test_text_is_not_taken_for_bytes(connection: sqlite3.Connection) -> None:
    with pytest.raises(ValueError, match="Expected bytes, got str"):
        fetch_all(connection, "SELECT 'text'", tuple[bytes])


@pytest.mark.parametrize("numbers", [[], [0], [0, 1, 2]])
def test_numbers_without_gaps_pass(numbers: list[int]) -> None:
    check_numbers(numbers)


@pytest.mark.parametrize("numbers", [[1], [0, 2], [0, 0], [1, 0], [-1, 0]])
def test_numbers_with_gaps_are_refused(numbers: list[int]) -> None:
    with pytest.raises(ValueError, match="gaps"):
        check_numbers(numbers)
