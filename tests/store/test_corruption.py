"""Whatever a damaged file makes of reading it is told in a sentence; what is no damage passes."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest

from stress.errors import ExitCode, RunFileError
from stress.store.corruption import damaged, reading


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
