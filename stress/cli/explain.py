"""`tls-stress explain`: what a code, a category or a whole pasted log says, and how to find out."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import typer

from stress.cli import console
from stress.errors import ExitCode, UsageError
from stress.report.explanation import render_explanation

Codes = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="CODE",
        help="Such as -9807, -1202, incomplete-chain, X509_V_ERR 20, alert 112, or the name of a"
        " log file. Without any: a log from standard input.",
        show_default=False,
    ),
]

_LOGS: Final = frozenset({".log", ".txt", ".crash", ".ips"})
"""Suffixes of log files; no code has one of them."""


def explain(code: Codes = None) -> int:
    """Explain the error codes in a log.

    What they say, what they leave open, which failures can lead to them, and the command that
    finds out. Exits 0, or 2 when the text has no known code.
    """
    from stress.codes.catalog import client_views  # noqa: PLC0415 - heavy
    from stress.codes.explain import explain as look_up  # noqa: PLC0415 - heavy

    answer = look_up(_text(code or []))
    single = answer.categories[0] if len(answer.categories) == 1 else None
    console.print_data(render_explanation(answer, client_views(single) if single else {}))
    return ExitCode.CLEAN if answer.found else ExitCode.USAGE


def _text(words: list[str]) -> str:
    """The words themselves, or the log that they name, or the log on standard input.

    Raises:
        UsageError: the file cannot be read, or nothing was given.
    """
    if not words or words == ["-"]:
        if sys.stdin.isatty():
            console.print_message("Paste the log, then press Ctrl-D.")
        text = _read_end(sys.stdin.buffer)
        if not text.strip():
            raise UsageError("nothing to explain", "Give a code: tls-stress explain -9807")
        return text
    path = Path(words[0])
    try:
        is_log = len(words) == 1 and (path.exists() or path.suffix in _LOGS)
    except OSError:  # a name that is too long: a pasted log
        is_log = False
    if not is_log:
        return " ".join(words)
    try:
        with path.open("rb") as log:
            return _read_end(log)
    except OSError as error:
        raise UsageError(f"cannot read {words[0]}: {error.strerror}") from None


def _read_end(log: BinaryIO) -> str:
    """The end of a log, as much as is read; UTF-8, or the UTF-16 of Windows tools."""
    from stress.codes.explain import LONGEST  # noqa: PLC0415 - heavy

    kept, cut = b"", False
    if log.seekable() and log.seek(0, os.SEEK_END) > LONGEST:
        log.seek(-LONGEST, os.SEEK_END)
        cut = True
    elif log.seekable():
        log.seek(0)
    while chunk := log.read(LONGEST):
        cut = cut or len(kept) + len(chunk) > LONGEST
        kept = (kept + chunk)[-LONGEST:]
    if cut:
        console.print_message(f"Only the last {LONGEST // 1_000_000} MB of the log are read.")
    wide = kept.startswith((b"\xff\xfe", b"\xfe\xff"))
    return kept.decode("utf-16" if wide else "utf-8", errors="replace")
