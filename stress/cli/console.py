"""Writes data to standard output and messages to standard error.

Neither may break the program: a reader that closes early (`| head`) is not an error, and a terminal
that cannot show a character gets a plainer one, or an escape, instead of a traceback.
"""

from __future__ import annotations

import codecs
import errno
import os
import shutil
import sys
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from stress.runner.observers import BusySign

_CLOSED = frozenset({errno.EPIPE, errno.EIO})
"""The reader of a pipe has closed it, or the terminal is gone."""
_PLAINER = {
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\u2500\u2501", "-"),
    "…": "...",
    "·": "-",
    "±": "+/-",
    "²": "2",
    "µ": "u",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "→": "->",
    "✓": "+",
    "✗": "x",
    "│": "|",
    **dict.fromkeys("└┘┴", "+"),
    "►": ">",
}
"""For a stream that cannot encode what our own texts use. No quotation marks or backslashes: JSON
stays JSON."""


def prepare() -> None:
    """Make both streams able to print any text, also where the parent process closed them."""
    # Open /dev/null in the place of each standard descriptor that is closed (`2>&-`). Else the
    # next file that is opened gets its number, and whoever writes to stderr writes to the run file.
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)  # noqa: FBT003 - by position only
    os.close(number)
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    codecs.register_error("plainer", _plainer)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="plainer")


def _plainer(error: UnicodeError) -> tuple[str | bytes, int]:
    """What an encoder writes for a character that the stream does not have."""
    if isinstance(error, UnicodeEncodeError):
        plain = _PLAINER.get(error.object[error.start])
        if plain is not None:
            return plain, error.start + 1
    return codecs.backslashreplace_errors(error)


def print_data(data: str) -> None:
    """Write data to standard output; a reader that has closed it is not an error."""
    try:
        sys.stdout.write(data)
        sys.stdout.flush()
    except OSError as error:
        if error.errno not in _CLOSED:  # such as a full disk
            raise
        discard(sys.stdout)


def print_titles(titles: Mapping[str, str]) -> None:
    """Write a list of names, each with its title, to standard output."""
    column = max(map(len, titles)) + 2
    for name, title in titles.items():
        first, further = name.ljust(column), " " * column
        entry = textwrap.fill(
            title, 100, initial_indent=first, subsequent_indent=further, break_on_hyphens=False
        )
        print_data(f"{entry}\n")


def print_message(text: str) -> None:
    """Write a message line to standard error; where that is closed, nothing happens."""
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):  # ValueError: the stream was closed
        return


def discard(stream: TextIO) -> None:
    """Discard what is still buffered, so that the interpreter's last flush does not fail."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - devnull is no path
        os.dup2(nowhere.fileno(), stream.fileno())


def colour(stream: TextIO) -> bool:
    """Colours only for a terminal that allows them (https://no-color.org), and a user who does."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not stream.isatty():
        return False
    from stress.planning.user_config import user_config

    return not user_config().no_color


def can_rewrite(stream: TextIO) -> bool:
    """Whether it is a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def terminal() -> TextIO | None:
    """Standard error, if it is a terminal on which lines can be erased."""
    return sys.stderr if can_rewrite(sys.stderr) else None


def busy(what: str, *, silent: bool = False) -> BusySign:
    """A sign, around whatever can take more than half a second, of what is being done.

    Args:
        what: is being done, such as `comparing`.
        silent: show nothing, as with `--json` and `--quiet`.
    """
    from stress.runner.observers import BusySign

    return BusySign(None if silent else terminal(), what)


def width(stream: TextIO) -> int:
    """Columns of a terminal; of a file or a pipe what COLUMNS says, else 100."""
    wanted = os.environ.get("COLUMNS", "")
    if stream.isatty() or wanted.isdecimal():
        return shutil.get_terminal_size((100, 24)).columns
    return 100
