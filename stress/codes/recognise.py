"""Recognises codes, names, alerts and sentences in the text of a log.

Logs are full of numbers. A number counts only if its context says what it is (`3:-9807`, `alert
112`, `verify code 20`) or if it is in a range that nothing else uses (-9807, -1202, -67843). A text
that is just a number is looked up in every table. Sentences are searched first, longest first; the
text that they cover is not read again as something else.

Who sent an alert depends on who wrote the line: a table of writers tells nginx's log about its
clients from its log about the servers behind it.

A log may come from a stranger: every pattern takes time in proportion to its length, because each
repetition in one is bounded or ends where the next part begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain
from string import ascii_uppercase
from typing import TypeAlias

from stress.codes.catalog import (
    LogWriter,
    Phrase,
    alerts,
    code_tables,
    expand_groups,
    fix_for,
    log_writers,
    outcome_entries,
    outcome_entry,
    phrases,
)
from stress.text.escape import printable

LONGEST_CODE = 80
"""Characters up to which a text may be a single code rather than a log."""
_NEAR = 1_000
"""Characters before and behind a code that may say who wrote its line."""


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
    general: bool = False
    """It says that something failed, not what: whatever says more decides."""
    decides: bool = False
    """It has no outcome, and rules out those that vaguer texts beside it would have."""


@dataclass(frozen=True, slots=True)
class Hit:
    """Something recognised, and where."""

    start: int
    end: int
    found: Explained
    writer: LogWriter | None
    """Who wrote the line, if it shows that."""


_Found: TypeAlias = tuple[tuple[int, int], Explained]
"""A first character, the one after the last, and what they are."""

AS_TYPED = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-") | dict.fromkeys("\u2018\u2019\u00b4`", "'")
)
"""Dashes and quotes that word processors and web pages put in place of the typed ones."""
_LOWER = str.maketrans(
    {letter: letter.lower() for letter in ascii_uppercase} | dict.fromkeys("\n\t\u00a0", " ")
)
"""ASCII only: folding other letters can change the length of a text and so all positions. A page
may have broken a sentence into two lines."""


def recognise(text: str) -> list[Hit]:
    """Everything recognised, in the order of the text."""
    text = text.translate(AS_TYPED)
    whole = text.strip().rstrip(".,;")
    if len(whole) <= LONGEST_CODE and (found := [*_whole(whole)]):
        return [Hit(0, len(text), one, None) for one in found]
    hits: dict[int, Hit] = {}
    taken = bytearray(len(text))
    for (start, end), explained in chain(_phrases(text), _alerts(text), _codes(text)):
        if taken.find(1, start, end) < 0:
            taken[start:end] = b"\x01" * (end - start)
            hits[start] = Hit(start, end, explained, _writer(text, start))
    return [hits[start] for start in sorted(hits)]


def _writer(text: str, at: int) -> LogWriter | None:
    """Who wrote the line around a position."""
    first = text.rfind("\n", max(0, at - _NEAR), at) + 1 or max(0, at - _NEAR)
    last = text.find("\n", at, at + _NEAR)
    return _writer_of(text[first : last if last >= 0 else at + _NEAR])


@lru_cache(maxsize=4096)  # logs repeat their lines
def _writer_of(line: str) -> LogWriter | None:
    folded = line.translate(_LOWER)
    return next((one for one in log_writers() if all(part in folded for part in one.parts)), None)


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
            yield _of_alert(int(text), text, "")


_ONE_NAME = re.compile(r"\w+")
_IN_NAMES = re.compile(r"\w")


def _phrases(text: str) -> Iterator[_Found]:
    folded = text.translate(_LOWER)
    for phrase in phrases():
        wanted = phrase.text.translate(_LOWER)
        is_name = _ONE_NAME.fullmatch(wanted) is not None
        at = folded.find(wanted)
        while at >= 0:
            end = at + len(wanted)
            around = folded[at - 1 : at] + folded[end : end + 1]
            if not (is_name and _IN_NAMES.search(around)):
                yield (at, end), _of_phrase(phrase, text[at:end])
            at = folded.find(wanted, end)


_ALERT = re.compile(
    r"\balert(?:[ _-]number|[ _-]code(?: is)?| was (?:received|generated))?"
    r"[\s:(\[=-]{0,3}(\d{1,3})(?!\d)"
    r"|\bfatal error code is (\d{1,3})\b",
    re.IGNORECASE,
)
_ALERT_NAMED = re.compile(
    r"(?:\balert(?: \w{1,20}|, level \w{1,10})?[:,] ?['\"]?|remote error: (?:tls: )?|\btls: "
    r"|\bdescription[:=] ?|(?:SERVER|CLIENT) ALERT: \w{1,10} - |AlertReceived\(|[Ff]atal alert \(?"
    r"|\bFatal \(|Exception:? \(|\bexit 35 \(|\bSSL_AD_"
    r"|\b(?:ERR_SSL_)?(?:sslv3|tlsv1|tlsv13|ssl/tls|SSLV3|TLSV1|TLSV13)[ _]"
    r"(?:alert[ _]|ALERT_)?)([A-Za-z][A-Za-z_ ]{3,40})"
)
"""What stands before the name of an alert: OpenSSL, Go, Java, iOS, curl, rustls, Erlang …"""
_OPENSSL_ERROR = re.compile(r"\berror:[01][0-9A-F]{4}([0-9A-F]{3})\b", re.IGNORECASE)
"""A packed code of OpenSSL 3 or 1.1; the last three digits are the reason (openssl/sslerr.h)."""
_ALERT_REASONS = 1000
"""OpenSSL's reasons for received alerts: this plus the number (SSL_AD_REASON_OFFSET)."""
_VERIFY = re.compile(
    r"(?:X509_V_ERR|verify[ _-]code|verify error:num|return code|verify result)[\s:=]{0,3}\(?"
    r"(\d{1,2})(?!\d)|\berror (\d{1,2}) at \d+ depth",
    re.IGNORECASE,
)
_CURL = re.compile(
    r"\bcurl\b(?: error)?(?: code)?[: ]{0,2}[(\[]?(\d{1,2})[)\]:]?(?![\d.])"
    r"|\bCURLE_[A-Z_]{1,40} ?\((\d{1,2})\)",
    re.IGNORECASE,
)
_EXIT = re.compile(r"\bexit (?:code |status )?(\d{1,2})(?![\d.])")
_NET = re.compile(r"\bnet(?:_| )error[\s:=]{0,3}(-\d{1,3})(?!\d)", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.-])(?:\d:)?(-\d{3,6})(?!\w|\.\d)")
_NUMBERED = (
    (_VERIFY, ("openssl",)),
    (_CURL, ("curl",)),
    (_EXIT, ("curl",)),
    (_NET, ("chrome",)),
    (_NUMBER, ("apple-ssl", "apple-url", "apple-trust")),
)
_NAME = re.compile(r"\b[A-Za-z][A-Za-z0-9_]{5,70}\b")
_CATEGORY = re.compile(r"(?<![\w-])[a-z]+(?:-[a-z]+)+(?![\w-])")


def _alerts(text: str) -> Iterator[_Found]:
    def told(number: int, start: int, end: int) -> _Found:
        writer = _writer(text, start)
        return (start, end), _of_alert(number, text[start:end], writer.sender if writer else "")

    for match in _ALERT.finditer(text):
        if int(match[1] or match[2]) <= 255:
            yield told(int(match[1] or match[2]), *match.span())
    for match in _ALERT_NAMED.finditer(text):
        words = re.split("[ _]", match[1])
        for count in range(min(len(words), 5), 0, -1):
            number = _alert_spellings().get("".join(words[:count]).casefold())
            if number is not None:
                yield told(number, match.start(1), match.start(1) + len(" ".join(words[:count])))
                break
    for match in _OPENSSL_ERROR.finditer(text):
        number = int(match[1], 16) - _ALERT_REASONS
        if number in alerts():
            yield told(number, *match.span())


@cache
def _alert_spellings() -> dict[str, int]:
    """Alert numbers by the letters of their names: `unknown_ca`, `UnknownCA`, `Unknown CA`."""
    found = {"usercancelled": 90, "unrecognisedname": 112, "handshakefail": 40}
    for number, one in alerts().items():
        for name in (one.name, one.go):
            found[re.sub("[ _]", "", name).casefold()] = number
    found.pop("", None)
    return found


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


def _codes(text: str) -> Iterator[_Found]:
    """Numbers that their context or range assigns to a table, names of codes, and categories."""
    for pattern, families in _NUMBERED:
        for match in pattern.finditer(text):
            code = next(group for group in match.groups() if group)
            for family in families:
                if code in code_tables()[family].codes:
                    yield (match.span(), _of_code(family, code, match[0]))
    firefox = {one.firefox: number for number, one in alerts().items()}
    for match in _NAME.finditer(text):
        if match[0] in named_codes():
            yield (match.span(), _of_code(*named_codes()[match[0]], match[0]))
        elif match[0] in firefox:
            yield (match.span(), _of_alert(firefox[match[0]], match[0], ""))
    for match in _CATEGORY.finditer(text):
        if match[0] in outcome_entries():
            yield (match.span(), _of_category(match[0]))


# Logs repeat themselves, so explanations are cached.
@lru_cache(maxsize=1024)
def _of_phrase(phrase: Phrase, text: str) -> Explained:
    return Explained(
        printable(text),
        phrase.also[0],
        phrase.family,
        phrase.says,
        phrase.leaves_open,
        expand_groups(phrase.categories),
        phrase.general or _TRUST in phrase.categories,
        phrase.decides,
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
        one.general or _TRUST in one.categories,
    )


@lru_cache(maxsize=1024)
def _of_alert(number: int, text: str, sender: str) -> Explained:
    """An alert that `client`, `server` or, where that is not known, `either` or "" sent."""
    known = alerts().get(number)
    if known is None:
        says = "No alert of this number is assigned (RFC 8446 section 6)."
        name = f"alert {number}"
        return Explained(printable(text), name, "TLS alert", says, "", (f"alert-{number}",))
    name = f"{known.name} ({number})"
    if sender == "client":
        says = known.from_client or "It ended the handshake."
        categories = expand_groups(known.from_client_categories)
        general = _TRUST in known.from_client_categories
        says = f"The client sent it. {says}"
        return Explained(printable(text), name, "TLS alert", says, "", categories, general)
    says, leaves_open = f"{known.says} The server itself sent it.", ""
    if sender in {"either", "self"}:
        says = ("This machine" if sender == "self" else "The other end") + " sent it."
        ends = [known.says, f"The client says so. {known.from_client}".strip()]
        client, server = ends if sender == "either" else reversed(ends)
        leaves_open = f"Which end this machine was. As the client: {client} As the server: {server}"
    elif not sender and number in _ABOUT_CERTIFICATES:
        leaves_open = _IN_A_SERVERS_LOG
    categories = (f"alert-{number}", *known.categories)
    return Explained(printable(text), name, "TLS alert", says, leaves_open, categories)


_TRUST = "@trust"
"""All trust outcomes: what has it says that something failed, not what."""
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
