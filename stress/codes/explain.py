"""Explains codes and pasted logs: what they say, what they leave open, and how to find out.

What is true. A code on a phone names a stage, seldom a defect: -9807 is every trust failure of
iOS 11. So an explanation lists the endings that can lead to all that was found, and the command
that tells them apart on the server itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from stress.codes.catalog import code_tables, known_categories, phrases
from stress.codes.recognition import LONGEST_CODE, Explained, named_codes, recognise
from stress.model.outcome import Category, Kind, Outcome
from stress.text.escape import printable

__all__ = ["Explained", "Explanation", "Unknown", "explain"]

LONGEST = 8_000_000
"""Characters of a log that are read: the last ones, for what failed stands at the end."""
_MOST = 50
"""Findings that are told."""
_NEAR = 500
"""Numbers further apart than this have nothing to do with each other; a digit was mistyped."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something that looks like a code and is in no table."""

    text: str
    nearest: tuple[str, ...]
    """What is known and looks like it."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer to one text."""

    found: tuple[Explained, ...]
    unknown: tuple[Unknown, ...]
    said: str
    """What all of it says together, in plain words."""
    leaves_open: tuple[str, ...]
    """What it does not say, each once."""
    categories: tuple[str, ...]
    """Endings that fit everything that was found."""
    command: str
    """The `tls-stress run` line that finds out."""


def explain(text: str) -> Explanation:
    """Explains one code, one phrase, or a whole pasted log. Never raises.

    Args:
        text: raw text; of more than `LONGEST` characters only the last ones are read.
    """
    text = text[-LONGEST:]
    hits = recognise(text)
    found = tuple({(one.name, one.family): one for one in hits}.values())[:_MOST]
    candidates = _fitting([one.categories for one in found if one.categories])
    return Explanation(
        found,
        tuple(_unknown(text, found)),
        _said(found, candidates),
        tuple(dict.fromkeys(one.leaves_open for one in found if one.leaves_open)),
        candidates,
        _command(text, candidates),
    )


def _fitting(lists: list[tuple[str, ...]]) -> tuple[str, ...]:
    """What fits everything found; where nothing does, what fits most of it."""
    counts: dict[str, int] = {}
    for one in (one for names in lists for one in names):
        counts[one] = counts.get(one, 0) + 1
    most = max(counts.values(), default=0)
    return tuple(name for name, count in counts.items() if count == most)


def _unknown(text: str, found: Iterable[Explained]) -> Iterator[Unknown]:
    whole = text.strip()
    if not found and whole and len(whole) <= LONGEST_CODE and "\n" not in whole:
        yield Unknown(printable(whole), _nearest(whole))
        return
    known = {one.text for one in found}
    wanted = re.compile(
        r"(?<![\w.-])-98\d\d\b|\b(?:ERR|SEC_ERROR|SSL_ERROR|X509_V_ERR)_[A-Z_\d]{4,60}\b"
    )
    for name in dict.fromkeys(wanted.findall(text)):
        if not any(name in one for one in known):
            yield Unknown(printable(name), _nearest(name))


def _nearest(text: str) -> tuple[str, ...]:
    """Up to three known codes, names or categories that look like it."""
    if re.fullmatch(r"-?\d+", text):
        codes = (code for table in code_tables().values() for code in table.codes)
        numbers = {int(code) for code in codes if re.fullmatch(r"-?\d+", code)}
        value = int(text)
        near = sorted(numbers, key=lambda one: (abs(one - value), one))
        close = [str(one) for one in near[:3] if abs(one - value) <= _NEAR]
        return tuple(close or get_close_matches(text, map(str, near), 3, 0.7))
    names = [*named_codes(), *known_categories(), *(phrase.text for phrase in phrases())]
    folded = {name.casefold(): name for name in names}
    return tuple(folded[one] for one in get_close_matches(text.casefold(), folded, 3, 0.5))


def _said(found: tuple[Explained, ...], candidates: tuple[str, ...]) -> str:
    if not found:
        return "No code that is known stands in this text."
    kinds = {Outcome.parse(name).kind for name in candidates}
    if kinds == {Kind.TRUST}:
        return (
            "The connection came about, and the client refused the server's certificates. The same"
            " certificates get the same answer every time: if it comes and goes, different"
            " connections meet different servers, or the client could repair an incomplete chain"
            " at other times."
        )
    if kinds == {Kind.WIRE}:
        return (
            "The connection ended before certificates were judged. If it comes and goes, different"
            " connections meet different servers, or a server or limiter gives up under load."
        )
    if not candidates:
        return "What was found says nothing about the server."
    return "What was found leaves open whether the certificates or the connection failed."


_URL = re.compile(
    r"https://([A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(?::(\d{1,5}))?(?![\w:])"
)


_PRETENDING = re.compile(
    r"pretending to be [“\"']([A-Za-z0-9][A-Za-z0-9.-]{0,251}[A-Za-z0-9])[”\"']"
)
"""What NSURLError says of the host when the log has no URL."""


def _command(text: str, candidates: tuple[str, ...]) -> str:
    """The line that finds out; the host is the one that the text speaks of."""
    match = _URL.search(text)
    host = "HOST"
    if match:
        host = match[1] + (f":{match[2]}" if match[2] and match[2] != "443" else "")
    elif named := _PRETENDING.search(text):
        host = named[1]
    pins = " --pin sha256//…" if candidates == (Category.PIN_MISMATCH.value,) else ""
    return f"tls-stress run {host}{pins}"
