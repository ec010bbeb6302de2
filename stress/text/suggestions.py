"""Matches the user's words to those that are known, and suggests the nearest."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from enum import StrEnum
from typing import TypeVar

from stress.errors import UsageError
from stress.text.escape import quoted

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
