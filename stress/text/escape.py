"""Makes text of others harmless: four functions, one for each place of use.

=============  =====================================================  ==================
function       use it for                                             kept as it is
=============  =====================================================  ==================
`escape`       a whole line just before it is printed                 letters, backslash
`printable`    a name from the network inside one of our sentences    letters
`quoted`       a word that the user typed, in a message               ASCII, backslash
`inert`        a field of an export, which is not cut                 lines, backslash
=============  =====================================================  ==================

Subjects, issuers, host labels and first bytes are chosen by whoever runs the target. A terminal
executes escape sequences in them, a bidirectional mark reorders the line around them (Unicode TR
#36, section 2; CVE-2021-42574), and a name of 64 KB pushes the verdict off the screen. All of them
write such characters as Python escapes, and the first three cut what is too long.

`printable` doubles a backslash, so that nobody can imitate an escape. `escape` does not, because
its input already holds what `printable` made.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from enum import StrEnum
from shlex import quote
from typing import TypeVar

from stress.errors import UsageError

LONGEST = 400
"""Characters of one text that `escape` shows; what is cut is counted."""

_LONGEST_WORD = 48

_NO_BREAK = frozenset("\u00a0\u202f")
"""No-break spaces: our own sentences use them, and they cannot do harm."""

_ACTIVE = re.compile("[\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
"""Characters above ASCII that a terminal or an editor acts upon; JSON escapes the rest itself."""


def escape(text: str, *, longest: int = LONGEST) -> str:
    r"""Return a line that shows what it holds and does nothing: `\x1b`, `\u202e`, `\n`.

    Args:
        text: anything, lone surrogates included.
        longest: characters of the result's visible part; the rest is cut and counted.
    """
    if len(text) > longest:
        return f"{escape(text[:longest], longest=longest)}… ({len(text):,} characters)"
    if text.isprintable():
        return text
    return _escaped(text, lambda character: character.isprintable() or character in _NO_BREAK)


def printable(text: str, longest: int = 200) -> str:
    r"""Return a name from the network as one line that cannot imitate an escape.

    A backslash is doubled, marks that are drawn over their neighbour are escaped, and all spaces
    become plain ones.

    Args:
        text: raw text, possibly hostile.
        longest: cut after this many characters of the input, with an ellipsis.
    """
    spaced = "".join(" " if unicodedata.category(c) == "Zs" else c for c in text[:longest])
    shown = _escaped(
        spaced,
        lambda character: (
            character != "\\"
            and character.isprintable()
            and unicodedata.category(character) not in {"Mn", "Me"}
        ),
    )
    return shown + "…" if len(text) > longest else shown


def with_letters(host: str) -> str:
    """A host name and, where it has A-labels (RFC 5890), the letters that they stand for.

    Python and Java still encode by IDNA 2003, which turns a few letters into others (measured:
    Python's codec `idna`, Java's `IDN.toASCII`).
    """
    if "xn--" not in host:
        return host
    import idna  # noqa: PLC0415 - hardly ever needed, and slow to start

    try:
        letters = idna.decode(host)
        older = letters.encode("idna").decode()
    except UnicodeError:  # idna.IDNAError is one
        return host
    others = f"; Java and Python connect to {older} instead" if older != host else ""
    return f"{host} ({printable(letters)}{others})"


def quoted(word: object) -> str:
    """Return what the user wrote as one short line of ASCII, for a message."""
    head = str(word)[: _LONGEST_WORD + 1]  # more is never shown, and the text may be a whole file
    shown = _escaped(head, lambda character: character.isascii() and character.isprintable())
    return shown if len(shown) <= _LONGEST_WORD else f"{shown[: _LONGEST_WORD - 3]}..."


def inert(text: str) -> str:
    r"""Return the same text, whole, with what a terminal acts upon escaped; lines stay lines."""
    if text.isprintable():
        return text
    kept = _NO_BREAK | {"\t", "\n", "\r"}
    return _escaped(text, lambda character: character.isprintable() or character in kept)


def escape_json(document: str) -> str:
    r"""Return the same JSON with every character that a terminal acts upon as `\uXXXX`.

    Such characters can stand in a JSON document only inside strings, so the value is unchanged.
    """
    return _ACTIVE.sub(lambda match: f"\\u{ord(match[0]):04x}", document)


def _escaped(text: str, harmless: Callable[[str], bool]) -> str:
    return "".join(
        character if harmless(character) else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


# Matches the user's words to those that are known, and suggests the nearest.

Choice = TypeVar("Choice", bound=StrEnum)

UNREADABLE = "Check that the file exists and is readable; a relative path starts in this directory."
"""The hint for a file of the user's that cannot be opened."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that looks most like `word`, or None when none comes near."""
    found = get_close_matches(word, list(known), n=1, cutoff=0.55)
    return found[0] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint: the nearest known word first, then all of them."""
    names = sorted(known)
    guess = nearest(word, names)
    listed = f"Known: {', '.join(names)}." if names else "None is known."
    return f'Did you mean "{guess}"? {listed}' if guess else listed


def chosen(kind: type[Choice], text: str) -> Choice:
    """Read one of an enum's words.

    Raises:
        UsageError: it is none of them.
    """
    try:
        return kind(text.strip().lower())
    except ValueError:
        words = [choice.value for choice in kind]
        raise UsageError(
            f'"{quoted(text)}" is not one of {", ".join(words)}', did_you_mean(text, words)
        ) from None


# Quotes a command of ours for the shell that somebody will paste it into.
#
# Names of runs, labels, server names and paths come from run files and from the network, so each
# word is quoted (`shlex`), and a printed command never runs anything but `tls-stress`. Subtle: a
# character that a terminal acts upon would be escaped when the line is printed, which changes the
# word. Such a word is written as `$'...'`, which bash, zsh, ksh and POSIX 2024 read as the
# original; an older `sh` reads other text, and still no command, because no quote inside it is
# written as such.

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
    words = []
    for word in argv:
        plain = escape(word, longest=len(word)) == word
        if plain and not any(map(str.isspace, word.replace(" ", ""))):
            words.append(quote(word))
            continue
        kept = "".join(
            each
            if each.isascii() and each.isprintable() and each not in "\\'"
            else "".join(f"\\x{byte:02x}" for byte in each.encode("utf-8", "surrogateescape"))
            for each in word
        )
        words.append(f"$'{kept}'")
    return " ".join(words)
