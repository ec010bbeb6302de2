"""What a damaged run file makes of reading it, as one kind of error with a sentence."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    """Turn whatever a damaged file makes of reading it into a sentence.

    Raises:
        RunFileError: the file cannot be read.
    """
    try:
        yield
    except _DAMAGE as error:
        raise damaged(path, error) from error
