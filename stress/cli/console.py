"""The two streams: data to standard output, talk to standard error.

Neither may break the tool. A reader that has seen enough (`| head`) is no error; a terminal that
cannot show a character gets an escape instead of a traceback.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from typing import TextIO

from stress.report import Colour

_NOBODY_LISTENS = frozenset({errno.EPIPE, errno.EIO})
"""The reader of a pipe has gone, or the terminal has."""


def prepare() -> None:
    """Make both streams able to print any text, also where whoever started us closed them."""
    _occupy()
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _occupy() -> None:
    """Open nothing in the place of each standard descriptor that is closed (`2>&-`).

    Else the next file that is opened gets its number: the run file would be written to by every
    library and worker that complains.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)  # noqa: FBT003 - by position only
    os.close(number)


def put(data: str) -> None:
    """Write data to standard output, and be content when nobody reads it any more."""
    try:
        sys.stdout.write(data)
        sys.stdout.flush()
    except OSError as error:
        if error.errno not in _NOBODY_LISTENS:  # a full disk, for instance, must be told
            raise
        deafen(sys.stdout)


def say(words: str) -> None:
    """Write a line of talk to standard error; a closed one is no reason to stop."""
    try:
        sys.stderr.write(words + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):  # ValueError: the stream was closed
        return


def deafen(stream: TextIO) -> None:
    """Send what is still buffered nowhere, so that the interpreter's last flush is silent."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - devnull is no path
        os.dup2(nowhere.fileno(), stream.fileno())


def colour(stream: TextIO) -> Colour:
    """Colour only for a terminal that wants it (https://no-color.org)."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Colour.ANSI if wanted and stream.isatty() else Colour.NONE


def can_rewrite(stream: TextIO) -> bool:
    """Whether it is a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def width(stream: TextIO) -> int:
    """Columns of a terminal; 100 for a file or a pipe."""
    return shutil.get_terminal_size((100, 24)).columns if stream.isatty() else 100
