"""Quotes a command of ours for the shell that somebody will paste it into.

Names of runs, labels, server names and paths come from run files and from the network, so each
word is quoted (`shlex`), and a printed command never runs anything but `tls-stress`. Subtle: a
character that a terminal acts upon would be escaped when the line is printed, which changes the
word. Such a word is written as `$'...'`, which bash, zsh, ksh and POSIX 2024 read as the original;
an older `sh` reads other text, and still no command, because no quote inside it is written as such.
"""

from __future__ import annotations

from collections.abc import Iterable
from shlex import quote

from stress.text.escape import escape

PROGRAM = "tls-stress"


def command(verb: str, *names: str) -> str:
    """Return a command of ours on these names as one line for a shell."""
    return shell_line(with_names(verb, *names))


def with_names(verb: str, *names: str, options: Iterable[str] = ()) -> tuple[str, ...]:
    """Return a command on names that others chose, so that none of them is read as an option."""
    if any(name.startswith("-") for name in names):
        return (PROGRAM, verb, *options, "--", *names)
    return (PROGRAM, verb, *names, *options)


def shell_line(argv: Iterable[str]) -> str:
    """Return a whole command, its program included, as one line for a shell."""
    return " ".join(map(_word, argv))


def _word(word: str) -> str:
    if escape(word, longest=len(word)) == word and not any(map(str.isspace, word.replace(" ", ""))):
        return quote(word)
    kept = "".join(
        each
        if each.isascii() and each.isprintable() and each not in "\\'"
        else "".join(f"\\x{byte:02x}" for byte in each.encode("utf-8", "surrogateescape"))
        for each in word
    )
    return f"$'{kept}'"
