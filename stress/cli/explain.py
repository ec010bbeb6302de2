"""`tls-stress explain`: what a code, a category or a whole pasted log says, and how to find out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from stress.cli import streams
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


def explain(code: Codes = None) -> int:
    """Tell what codes in a log mean.

    What they say, what they leave open, which failures can lead to them, and the command that
    finds out. Exits 0, or 2 when nothing in the text is known.
    """
    from stress.trust import client_views  # noqa: PLC0415 - heavy
    from stress.trust.explain import explain as look_up  # noqa: PLC0415 - heavy

    answer = look_up(_text(code or []))
    single = answer.categories[0] if len(answer.categories) == 1 else None
    streams.put(render_explanation(answer, client_views(single) if single else {}))
    return ExitCode.CLEAN if answer.found else ExitCode.USAGE


def _text(words: list[str]) -> str:
    """The words themselves, or the log that they name, or the log on standard input.

    Raises:
        UsageError: the file cannot be read, or nothing was given.
    """
    if not words:
        return _pasted()
    if len(words) == 1 and Path(words[0]).is_file():
        try:
            return Path(words[0]).read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise UsageError(f"cannot read {words[0]}: {error.strerror}") from None
    return " ".join(words)


def _pasted() -> str:
    if sys.stdin.isatty():
        streams.say("Paste the log, then press Ctrl-D.")
    text = sys.stdin.buffer.read().decode("utf-8", errors="replace")
    if not text.strip():
        raise UsageError(
            "there is nothing to explain", "Give a code, such as: tls-stress explain -9807"
        )
    return text
