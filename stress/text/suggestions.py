"""The user's words: quoted safely in messages, and matched to the words that are known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from enum import StrEnum
from typing import TypeVar

from stress.errors import UsageError

Choice = TypeVar("Choice", bound=StrEnum)

UNREADABLE = "Give a file that exists and may be read; its path begins at the folder you are in."
"""The hint for a file of the user's that cannot be opened."""

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), 127)}


def printable(text: object) -> str:
    """Return what somebody wrote as one short line of ASCII, for a message."""
    head = str(text)[:49]  # more is never shown, and the text may be a whole file
    shown = head.encode("ascii", "backslashreplace").decode().translate(_CONTROLS)
    return shown if len(shown) <= 48 else f"{shown[:45]}..."


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that looks most like `word`, or None when none comes near."""
    found = get_close_matches(word, list(known), n=1, cutoff=0.55)
    return found[0] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint: the nearest known word first, then all of them."""
    names = sorted(known)
    guess = nearest(word, names)
    listed = f"Known: {', '.join(names)}." if names else "None is known here."
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
            f'"{printable(text)}" is not one of {", ".join(words)}', did_you_mean(text, words)
        ) from None
