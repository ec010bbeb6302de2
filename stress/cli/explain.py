"""`tls-stress explain`: what a code, a category or a whole pasted log says, and how to find out."""

from __future__ import annotations

import gzip
import os
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import Annotated, Final

import typer

from stress.cli import completion, console
from stress.errors import ExitCode, UsageError
from stress.report.explanation import render_explanation
from stress.text.escape import quoted

Codes = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="CODE…",
        autocompletion=completion.codes,
        help="Such as -9807, -1202, incomplete-chain, X509_V_ERR 20, alert 112, or the name of a"
        " log file. Without any: a log from standard input.",
        show_default=False,
    ),
]

_LOGS: Final = frozenset({".log", ".txt", ".crash", ".ips"})
"""Suffixes of log files; no code has one of them."""
_PIECE: Final = 1_000_000
"""Characters that are read at a time."""
_LONGEST_REST: Final = 50_000
"""Characters that are read on to the end of a line; a longer line is read as several."""
_EXAMPLE: Final = "Give a code, a file or a paste: tls-stress explain -9807"


def explain(code: Codes = None) -> int:
    """Explain the error codes in a log.

    What they say, what they leave open, which failures can lead to them, and the command that
    finds out. Exits 0, or 2 when the text has no known code.

    Examples:
        tls-stress explain -9807
        tls-stress explain alert 112
        tls-stress explain app.log
    """
    from stress.codes.catalog import client_views
    from stress.codes.explain import explain_log

    words = code or []
    with _pieces(words) as pieces:
        answer = explain_log(pieces)
    if not answer.lines:
        raise UsageError("nothing to explain: the text is empty", _EXAMPLE)
    word = words[0] if len(words) == 1 else " "
    like_a_path = not set(word) & set(" \n") and (
        os.sep in word or Path(word).suffix[1:2].isalpha()
    )
    if not answer.found and like_a_path and not Path(word).exists():
        raise UsageError(f"cannot read {quoted(word)}: no such file, no known code", _EXAMPLE)
    # What a client would show is of no use beside what a server or a proxy wrote.
    single = len(answer.categories) == 1 and not answer.written_by
    views = client_views(answer.categories[0]) if single else {}
    console.print_data(render_explanation(answer, views, console.width(sys.stdout)))
    return ExitCode.CLEAN if answer.found else ExitCode.USAGE


@contextmanager
def _pieces(words: list[str]) -> Iterator[Iterable[str]]:
    """The text of the words themselves, or of the log that they name, or of standard input.

    Raises:
        UsageError: the file cannot be read.
    """
    name = "" if not words or words == ["-"] else words[0]
    path = Path(name)
    try:
        is_log = len(words) == 1 and (path.exists() or path.suffix in _LOGS)
    except OSError:  # a name that is too long: a pasted log
        is_log = False
    if name and not is_log:
        yield ["\n".join(" ".join(words).splitlines())]
        return
    if not name and sys.stdin.isatty():
        console.print_message("Paste the log, then press Ctrl-D.")
    try:
        with open(name or 0, "rb", closefd=bool(name)) as log:
            yield _decoded(log)
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read {quoted(name or '-')}: {why}", _EXAMPLE) from None


def _decoded(log: BufferedReader) -> Iterator[str]:
    """The text of a log: UTF-8, or the UTF-16 of Windows tools; compressed by gzip or not."""
    source = gzip.GzipFile(fileobj=log) if log.peek(2)[:2] == b"\x1f\x8b" else log
    wide = source.peek(2)[:2] in {b"\xff\xfe", b"\xfe\xff"}
    from stress.codes.explain import SMALL

    text = TextIOWrapper(source, "utf-16" if wide else "utf-8", errors="replace")
    try:
        size = SMALL - _LONGEST_REST
        while piece := text.read(size):
            yield piece + text.readline(_LONGEST_REST)
            size = _PIECE
    finally:
        text.detach()
