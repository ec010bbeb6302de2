"""Explains codes and pasted logs: what they say, what they leave open, and how to find out.

A code on a phone names a stage, rarely a defect: iOS 11 reports every trust failure as -9807. So an
explanation lists the outcomes that fit everything found in the text, and the command that tells
them apart on the server itself.

Logs are full of numbers. A number counts only if its context says what it is (`3:-9807`, `alert
112`, `verify code 20`) or if it is in a range that nothing else uses (-9807, -1202, -67843). A text
that is just a number is looked up in every table. Sentences are searched first, longest first; the
text that they cover is not read again as something else.

A log may come from a stranger: every pattern takes time in proportion to its length, because each
repetition in one is bounded or ends where the next part begins.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, lru_cache
from itertools import chain, islice
from string import ascii_uppercase
from typing import TypeAlias

from stress.codes.catalog import (
    Phrase,
    alerts,
    code_tables,
    conclusions,
    expand_groups,
    fix_for,
    outcome_entries,
    outcome_entry,
    phrases,
)
from stress.model.outcome import Category, Outcome
from stress.text.escape import printable

LONGEST = 8_000_000
"""Characters of a log that are read: the last ones, because the failure is at the end."""
LONGEST_CODE = 80
"""Characters up to which a text may be a single code rather than a log."""
_MOST = 50
"""Findings, and unknown names, that are reported."""
_NEAR = 500
"""Numbers further apart than this are unrelated; a smaller distance may be a typing mistake."""


_URL = re.compile(
    r"https://([A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(?::(\d{1,5}))?(?![\w:])"
)
_PRETENDING = re.compile(
    r"pretending to be [“\"']([A-Za-z0-9][A-Za-z0-9.-]{0,251}[A-Za-z0-9])[”\"']"
)
"""How NSURLError names the host when the log has no URL."""


@dataclass(frozen=True, slots=True)
class Explained:
    """One code, name or sentence that was recognised."""

    text: str
    """As it appears in the log, printable."""
    name: str
    """Its full name, such as `errSSLXCertChainInvalid`."""
    family: str
    """Whose code it is, for display."""
    meaning: str
    leaves_open: str = ""
    """What it does not say; empty: nothing worth mentioning."""
    categories: tuple[str, ...] = ()
    """Outcomes that can lead to it; empty: none, or not known."""


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

    kinds = {Outcome.parse(name).kind.value for name in candidates} if found else {"unknown"}
    conclusion = conclusions().get(",".join(kinds), conclusions()["mixed"])

    host = "HOST"
    if url := _URL.search(text):
        host = url[1] + (f":{url[2]}" if url[2] and url[2] != "443" else "")
    elif named := _PRETENDING.search(text):
        host = named[1]
    pins = " --pin sha256//…" if candidates == (Category.PIN_MISMATCH.value,) else ""
    return Explanation(
        found,
        tuple(islice(_unknown(text, found), _MOST)),
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


def recognise(text: str) -> list[Explained]:
    """Everything recognised, in the order of the text."""
    text = text.translate(_MINUS)
    whole = text.strip().rstrip(".,;")
    found = [*_whole(whole)] if len(whole) <= LONGEST_CODE else []
    if found:
        return found
    hits: dict[int, Explained] = {}
    taken = bytearray(len(text))
    for (start, end), explained in chain(_phrases(text), _alerts(text), _codes(text)):
        if taken.find(1, start, end) < 0:
            taken[start:end] = b"\x01" * (end - start)
            hits[start] = explained
    return [hits[start] for start in sorted(hits)]


def _whole(text: str) -> Iterator[Explained]:
    """A text that is just one category or one number."""
    if text.casefold() in outcome_entries() and text.casefold() != "alert":
        yield _of_category(text.casefold())
    elif text == "3:0":
        yield next(_phrases("TIC SSL Trust Error"))[1]
    elif re.fullmatch(r"-?\d{1,6}", text):
        for family, table in code_tables().items():
            for code in {text, f"-{text}"}:
                if code in table.codes:
                    yield _of_code(family, code, text)
        if text.isdecimal() and int(text) in alerts():
            yield _of_alert(int(text), text)


_Hit: TypeAlias = tuple[tuple[int, int], Explained]
"""Where something was recognised: its first character, and the one after its last."""
_MINUS = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-"))
"""Hyphens and dashes that word processors and web pages put in place of a minus sign."""

_LOWER = str.maketrans({letter: letter.lower() for letter in ascii_uppercase})
"""ASCII only: folding other letters can change the length of a text and so all positions."""


def _phrases(text: str) -> Iterator[_Hit]:
    folded = text.translate(_LOWER)
    for phrase in phrases():
        wanted = phrase.text.translate(_LOWER)
        at = folded.find(wanted)
        while at >= 0:
            end = at + len(wanted)
            yield (at, end), _of_phrase(phrase, text[at:end])
            at = folded.find(wanted, end)


_ALERT = re.compile(r"\balert(?:[ _-]number)?[\s:(\[=-]{0,3}(\d{1,3})(?!\d)", re.IGNORECASE)
_ALERT_NAME = re.compile(
    r"\balert(?: \w+)?: ?([a-z_]{5,40})\b|remote error: tls: ([a-zA-Z ]{5,40})"
)
_OPENSSL_ERROR = re.compile(r"\berror:[01][0-9A-F]{4}([0-9A-F]{3})\b", re.IGNORECASE)
"""A packed code of OpenSSL 3 or 1.1; the last three digits are the reason (openssl/sslerr.h)."""
_ALERT_REASONS = 1000
"""OpenSSL's reasons for received alerts: this plus the number (SSL_AD_REASON_OFFSET)."""
_VERIFY = re.compile(
    r"(?:X509_V_ERR|verify[ _]code|verify error:num|return code|verify result)[\s:=]{0,3}\(?"
    r"(\d{1,2})(?!\d)|\berror (\d{1,2}) at \d+ depth",
    re.IGNORECASE,
)
_CURL = re.compile(r"\bcurl\b[^\n\d]{0,20}?\(?(\d{1,2})\)?(?![\d.])", re.IGNORECASE)
_NET = re.compile(r"\bnet(?:_| )error[\s:=]{0,3}(-\d{1,3})(?!\d)", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.-])(?:\d:)?(-\d{3,6})(?!\w|\.\d)")
_NUMBERED = (
    (_VERIFY, ("openssl",)),
    (_CURL, ("curl",)),
    (_NET, ("chrome",)),
    (_NUMBER, ("apple-ssl", "apple-url", "apple-trust")),
)
_NAME = re.compile(r"\b[A-Za-z][A-Za-z0-9_]{5,70}\b")
_CATEGORY = re.compile(r"(?<![\w-])[a-z]+(?:-[a-z]+)+(?![\w-])")


def _alerts(text: str) -> Iterator[_Hit]:
    for match in _ALERT.finditer(text):
        if int(match[1]) <= 255:
            yield (match.span(), _of_alert(int(match[1]), match[0]))
    names = {one.name: number for number, one in alerts().items()}
    names |= {one.go: number for number, one in alerts().items() if one.go}
    for match in _ALERT_NAME.finditer(text):
        name = (match[1] or match[2]).strip()
        if name in names:
            yield (match.span(), _of_alert(names[name], match[0]))
    spellings, sentence = _openssl_alerts()
    for match in sentence.finditer(text):
        yield (match.span(), _of_alert(spellings[match[1].casefold()], match[0]))
    for match in _OPENSSL_ERROR.finditer(text):
        number = int(match[1], 16) - _ALERT_REASONS
        if number in alerts():
            yield (match.span(), _of_alert(number, match[0]))


@cache
def _openssl_alerts() -> tuple[dict[str, int], re.Pattern[str]]:
    """Alert numbers by name as OpenSSL's messages spell it, and what such a message looks like.

    `tlsv1 alert unknown ca`, `sslv3 alert handshake failure`, `tlsv1 unrecognized name`.
    """
    found = {one.name.replace("_", " "): number for number, one in alerts().items()}
    found["user cancelled"] = 90
    names = "|".join(sorted(found, key=len, reverse=True))
    sentence = rf"\b(?:sslv3|tlsv1|tlsv13)(?: alert)? ({names})\b"
    return found, re.compile(sentence, re.IGNORECASE)


@cache
def named_codes() -> dict[str, tuple[str, str]]:
    """Name -> family and code, of all tables, with the other spellings of Apple and OpenSSL."""
    found = {}
    for family, table in code_tables().items():
        for code, one in table.codes.items():
            found[one.name] = (family, code)
            if family == "apple-url":
                found[one.name.replace("NSURL", "kCFURL")] = (family, code)
            if family == "openssl":
                found.setdefault(one.name.removeprefix("X509_V_ERR_"), (family, code))
    found.pop("OK", None)
    return found


def _codes(text: str) -> Iterator[_Hit]:
    """Numbers that their context or range assigns to a table, names of codes, and categories."""
    for pattern, families in _NUMBERED:
        for match in pattern.finditer(text):
            code = next(group for group in match.groups() if group)
            for family in families:
                if code in code_tables()[family].codes:
                    yield (match.span(), _of_code(family, code, match[0]))
    reasons = {one.python.partition(" ")[0]: number for number, one in alerts().items()}
    reasons |= {one.firefox: number for number, one in alerts().items()}
    for match in _NAME.finditer(text):
        if match[0] in named_codes():
            yield (match.span(), _of_code(*named_codes()[match[0]], match[0]))
        elif match[0] in reasons:
            yield (match.span(), _of_alert(reasons[match[0]], match[0]))
    for match in _CATEGORY.finditer(text):
        if match[0] in outcome_entries():
            yield (match.span(), _of_category(match[0]))


# Logs repeat themselves, so explanations are cached.
@lru_cache(maxsize=1024)
def _of_phrase(phrase: Phrase, text: str) -> Explained:
    categories = expand_groups(phrase.categories)
    return Explained(
        printable(text), phrase.text, phrase.family, phrase.says, categories=categories
    )


@lru_cache(maxsize=1024)
def _of_code(family: str, code: str, text: str) -> Explained:
    table = code_tables()[family]
    one = table.codes[code]
    name = one.name if one.name == code else f"{one.name} ({code})"
    return Explained(
        printable(text),
        name,
        table.title,
        one.says or "Rare; its name is all that is documented here.",
        one.leaves_open,
        expand_groups(one.categories),
    )


@lru_cache(maxsize=1024)
def _of_alert(number: int, text: str) -> Explained:
    known = alerts().get(number)
    name = f"{known.name} ({number})" if known else f"alert {number}"
    says = known.says if known else "No alert of this number is assigned (RFC 8446 section 6)."
    return Explained(
        printable(text),
        name,
        "TLS alert",
        f"{says} The server itself sent it." if known else says,
        _IN_A_SERVERS_LOG if number in _ABOUT_CERTIFICATES else "",
        (f"alert-{number}", *(known.categories if known else ())),
    )


_ABOUT_CERTIFICATES = range(42, 50)
_IN_A_SERVERS_LOG = (
    "Who sent it. In a server's log it came from the client, which then rejected the server's"
    " certificates."
)


@cache
def _of_category(name: str) -> Explained:
    fix = fix_for(name)
    meaning = outcome_entry(name).meaning + (f" What to do: {fix}." if fix else "")
    return Explained(name, name, "tls-stress", meaning, categories=(name,))
