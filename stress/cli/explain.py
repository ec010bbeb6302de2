"""`tls-stress explain`: what a code, a category or a whole pasted log says, and how to find out."""

from __future__ import annotations

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
        " file with a log. Without any: a pasted log from standard input.",
        show_default=False,
    ),
]

_LOGS: Final = frozenset({".log", ".txt", ".crash", ".ips"})
"""How names of logs end; no code ends like this."""


def explain(code: Codes = None) -> int:
    """Tell what codes in a log mean.

    What they say, what they leave open, which failures can lead to them, and the command that
    finds out. Exits 0, or 2 when nothing in the text is known.
    """
    from stress.codes.explain import explain as look_up  # noqa: PLC0415 - heavy
    from stress.trust import client_views  # noqa: PLC0415 - heavy

    answer = look_up(_text(code or []))
    single = answer.categories[0] if len(answer.categories) == 1 else None
    console.put(render_explanation(answer, client_views(single) if single else {}))
    return ExitCode.CLEAN if answer.found else ExitCode.USAGE


def _text(words: list[str]) -> str:
    """The words themselves, or the log that they name, or the log on standard input.

    Raises:
        UsageError: the file cannot be read, or nothing was given.
    """
    if not words or words == ["-"]:
        return _pasted()
    path = Path(words[0])
    if len(words) > 1 or not _names_a_log(path):
        return " ".join(words)
    try:
        with path.open("rb") as log:
            return _decoded(_end_of(log))
    except OSError as error:
        raise UsageError(f"cannot read {words[0]}: {error.strerror}") from None


def _names_a_log(path: Path) -> bool:
    """Whether a word is meant as a file: it is one, or looks like one and is no code."""
    try:
        return path.exists() or path.suffix in _LOGS
    except OSError:  # such as a name that is too long
        return False


def _pasted() -> str:
    if sys.stdin.isatty():
        console.say("Paste the log, then press Ctrl-D.")
    text = _decoded(_end_of(sys.stdin.buffer))
    if not text.strip():
        raise UsageError(
            "there is nothing to explain", "Give a code, such as: tls-stress explain -9807"
        )
    return text


def _end_of(log: BinaryIO) -> bytes:
    """What is read of a log, however long it is; says when that is not all of it."""
    from stress.codes.explain import LONGEST  # noqa: PLC0415 - heavy

    kept, cut = b"", False
    while chunk := log.read(LONGEST):
        cut = cut or len(kept) + len(chunk) > LONGEST
        kept = (kept + chunk)[-LONGEST:]
    if cut:
        console.say(f"Only the last {LONGEST // 1_000_000} MB of the log are read.")
    return kept


def _decoded(data: bytes) -> str:
    """The text of a log: UTF-8, or the UTF-16 of Windows tools."""
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    return data.decode("utf-16" if wide else "utf-8", errors="replace")
