"""Turn the errors of reading a damaged run file into one error with a sentence."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from stress.errors import RunFileError

_DAMAGE = (
    sqlite3.Error,
    ValueError,  # also text that is no UTF-8, and a histogram that is none
    TypeError,
    AttributeError,
    ArithmeticError,
    KeyError,
    IndexError,
    msgspec.MsgspecError,
)


def damaged(path: Path, why: object) -> RunFileError:
    """The error for a file that cannot be read."""
    return RunFileError(
        f"the run file {path} is damaged: {why}",
        "use a copy if there is one; `sqlite3 FILE .recover` may save the rest",
    )


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn any error of reading a damaged file into a `RunFileError`.

    Raises:
        RunFileError: the file cannot be read.
    """
    try:
        yield
    except _DAMAGE as error:
        raise damaged(path, error) from error


# Rows of small tables, checked for their types: a damaged file may hold anything anywhere.

_T = TypeVar("_T")


def fetch_all(connection: sqlite3.Connection, sql: str, kind: type[_T]) -> list[_T]:
    """All rows of a query, each as a `kind` (a tuple with types, or a NamedTuple).

    Raises:
        msgspec.ValidationError: a value has another type.
    """
    rows = connection.execute(sql).fetchall()
    return checked(rows, list[kind])  # type: ignore[valid-type]  # known only at run time


def checked(value: object, kind: type[_T]) -> _T:
    """The value as a `kind`.

    Raises:
        msgspec.ValidationError: it has another type.
    """
    # With bytes as a type of its own, text is not taken for base64.
    return msgspec.convert(value, kind, builtin_types=(bytes,))


def check_numbers(numbers: Sequence[int]) -> None:
    """Raise ValueError unless these count up from 0: they are used as indexes."""
    if list(numbers) != list(range(len(numbers))):
        raise ValueError("a numbered table has gaps")
