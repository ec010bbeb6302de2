"""Explains codes and pasted logs: what they say, what they leave open, and how to find out.

A code on a phone names a stage, rarely a defect: iOS 11 reports every trust failure as -9807. So an
explanation lists the outcomes that fit everything found in the text, and the command that tells
them apart on the server itself.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from stress.codes.catalog import code_tables, outcome_entries, phrases
from stress.codes.recognition import LONGEST_CODE, Explained, named_codes, recognise
from stress.model.outcome import Category, Kind, Outcome
from stress.text.escape import printable

__all__ = ["Explained", "Explanation", "Unknown", "explain"]

LONGEST = 8_000_000
"""Characters of a log that are read: the last ones, because the failure is at the end."""
_MOST = 50
"""Findings that are reported."""
_NEAR = 500
"""Numbers further apart than this are unrelated; a smaller distance may be a typing mistake."""

_CONCLUSIONS: Mapping[frozenset[Kind], str] = {
    frozenset({Kind.TRUST}): (
        "The connection was established, and the client rejected the server's certificates. The"
        " same certificates always get the same answer: if the failure is intermittent, different"
        " connections reach different servers, or the client could sometimes repair an incomplete"
        " chain."
    ),
    frozenset({Kind.WIRE}): (
        "The connection ended before certificates were judged. If the failure is intermittent,"
        " different connections reach different servers, or a server or rate limiter gives up under"
        " load."
    ),
    frozenset(): "What was found says nothing about the server.",
}
_MIXED = "What was found leaves open whether the certificates or the connection failed."

_URL = re.compile(
    r"https://([A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(?::(\d{1,5}))?(?![\w:])"
)
_PRETENDING = re.compile(
    r"pretending to be [“\"']([A-Za-z0-9][A-Za-z0-9.-]{0,251}[A-Za-z0-9])[”\"']"
)
"""How NSURLError names the host when the log has no URL."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something that looks like a code but is in no table."""

    text: str
    nearest: tuple[str, ...]
    """Known codes that look like it."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation of one text."""

    found: tuple[Explained, ...]
    unknown: tuple[Unknown, ...]
    conclusion: str
    """What all findings say together, in plain words."""
    leaves_open: tuple[str, ...]
    """What they do not say, each once."""
    categories: tuple[str, ...]
    """Outcomes that fit everything that was found."""
    command: str
    """The `tls-stress run` line that finds out."""


def explain(text: str) -> Explanation:
    """Explains one code, one phrase, or a whole pasted log. Never raises.

    Args:
        text: raw text; if longer than `LONGEST` characters, only the end is read.
    """
    text = text[-LONGEST:]
    found = tuple({(one.name, one.family): one for one in recognise(text)}.values())[:_MOST]
    # What fits everything found; if nothing does, what fits most of it.
    counts = Counter(name for one in found for name in one.categories)
    most = max(counts.values(), default=0)
    candidates = tuple(name for name, count in counts.items() if count == most)

    conclusion = "This text contains no known code."
    if found:
        kinds = frozenset(Outcome.parse(name).kind for name in candidates)
        conclusion = _CONCLUSIONS.get(kinds, _MIXED)

    host = "HOST"
    if url := _URL.search(text):
        host = url[1] + (f":{url[2]}" if url[2] and url[2] != "443" else "")
    elif named := _PRETENDING.search(text):
        host = named[1]
    pins = " --pin sha256//…" if candidates == (Category.PIN_MISMATCH.value,) else ""
    return Explanation(
        found,
        tuple(_unknown(text, found)),
        conclusion,
        tuple(dict.fromkeys(one.leaves_open for one in found if one.leaves_open)),
        candidates,
        f"tls-stress run {host}{pins}",
    )


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
    names = [*named_codes(), *outcome_entries(), *(phrase.text for phrase in phrases())]
    folded = {name.casefold(): name for name in names}
    return tuple(folded[one] for one in get_close_matches(text.casefold(), folded, 3, 0.5))
