"""Finds the codes, names and sentences of clients in a text, and says what each one means.

What is tricky. Logs are full of numbers. A number counts only where its surroundings say what it is
(`3:-9807`, `alert 112`, `verify code 20`) or where it belongs to a table that nothing else uses
(-9807, -1202, -67843). A text that is nothing but a number is looked up everywhere. Sentences are
looked for first, longest first; what they cover is not read again as something else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from string import ascii_uppercase

from stress.codes.catalog import alerts, code_tables, ending, known_categories, phrases, spelled_out
from stress.text.escape import printable

LONGEST_CODE = 80
"""Characters up to which a text is taken for one code, and no log."""


@dataclass(frozen=True, slots=True)
class Explained:
    """One code, name or sentence that was recognised."""

    text: str
    """As it stands in the log, printable."""
    name: str
    """Its full name, such as `errSSLXCertChainInvalid`."""
    family: str
    """Whose code it is, for people."""
    meaning: str
    leaves_open: str = ""
    """What it does not say; empty: nothing worth a word."""
    categories: tuple[str, ...] = ()
    """Endings that can lead to it; empty: none of them, or not known."""


@dataclass(frozen=True, slots=True)
class _Hit:
    start: int
    end: int
    explained: Explained


def recognise(text: str) -> list[Explained]:
    """All that is recognised, in the order of the text."""
    text = text.translate(_MINUS)
    whole = text.strip().rstrip(".,;")
    found = [*_whole(whole)] if len(whole) <= LONGEST_CODE else []
    if found:
        return found
    hits: list[_Hit] = []
    taken = bytearray(len(text))
    for find in _FINDERS:
        for hit in find(text):
            if not any(taken[hit.start : hit.end]):
                taken[hit.start : hit.end] = b"\x01" * (hit.end - hit.start)
                hits.append(hit)
    return [hit.explained for hit in sorted(hits, key=lambda one: one.start)]


def _whole(text: str) -> Iterator[Explained]:
    """A text that is one category or one number and nothing else."""
    if text.casefold() in known_categories() and text.casefold() != "alert":
        yield _of_category(text.casefold())
    elif text == "3:0":
        yield next(_phrases("TIC SSL Trust Error")).explained
    elif re.fullmatch(r"-?\d{1,6}", text):
        for family, table in code_tables().items():
            for code in {text, f"-{text}"}:
                if code in table.codes:
                    yield _of_code(family, code, text)
        if text.isdecimal() and int(text) in alerts():
            yield _of_alert(int(text), text)


_MINUS = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-"))
"""Hyphens and dashes that word processors and web pages make of a minus sign."""

_LOWER = str.maketrans({letter: letter.lower() for letter in ascii_uppercase})
"""Only ASCII, because other letters may change the length of a text and so all positions."""


def _phrases(text: str) -> Iterator[_Hit]:
    folded = text.translate(_LOWER)
    for phrase in phrases():
        wanted = phrase.text.translate(_LOWER)
        at = folded.find(wanted)
        while at >= 0:
            end = at + len(wanted)
            yield _Hit(
                at,
                end,
                Explained(
                    printable(text[at:end]),
                    phrase.text,
                    phrase.family,
                    phrase.says,
                    categories=spelled_out(phrase.categories),
                ),
            )
            at = folded.find(wanted, end)


_ALERT = re.compile(r"\balert(?:[ _-]number)?[\s:(\[=-]{0,3}(\d{1,3})(?!\d)", re.IGNORECASE)
_ALERT_NAME = re.compile(
    r"\balert(?: \w+)?: ?([a-z_]{5,40})\b|remote error: tls: ([a-zA-Z ]{5,40})"
)
_OPENSSL_ERROR = re.compile(r"\berror:[01][0-9A-F]{4}([0-9A-F]{3})\b", re.IGNORECASE)
"""A packed code of OpenSSL 3 or 1.1; the last three digits are the reason (openssl/sslerr.h)."""
_ALERT_REASONS = 1000
"""OpenSSL's reasons for alerts that came: this plus the number (SSL_AD_REASON_OFFSET)."""
_VERIFY = re.compile(
    r"(?:X509_V_ERR|verify[ _]code|verify error:num|return code|verify result)[\s:=]{0,3}\(?"
    r"(\d{1,2})(?!\d)|\berror (\d{1,2}) at \d+ depth",
    re.IGNORECASE,
)
_CURL = re.compile(r"\bcurl\b[^\n\d]{0,20}?\(?(\d{1,2})\)?(?![\d.])", re.IGNORECASE)
_NET = re.compile(r"\bnet(?:_| )error[\s:=]{0,3}(-\d{1,3})(?!\d)", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.-])(?:\d:)?(-\d{3,6})(?!\w|\.\d)")
_NAME = re.compile(r"\b[A-Za-z][A-Za-z0-9_]{5,70}\b")
_CATEGORY = re.compile(r"(?<![\w-])[a-z]+(?:-[a-z]+)+(?![\w-])")


def _alerts(text: str) -> Iterator[_Hit]:
    for match in _ALERT.finditer(text):
        if int(match[1]) <= 255:
            yield _Hit(*match.span(), _of_alert(int(match[1]), match[0]))
    names = {one.name: number for number, one in alerts().items()}
    names |= {one.go: number for number, one in alerts().items() if one.go}
    for match in _ALERT_NAME.finditer(text):
        name = (match[1] or match[2]).strip()
        if name in names:
            yield _Hit(*match.span(), _of_alert(names[name], match[0]))
    for match in _spoken().finditer(text):
        number = _spellings()[match[1].casefold()]
        yield _Hit(*match.span(), _of_alert(number, match[0]))
    for match in _OPENSSL_ERROR.finditer(text):
        number = int(match[1], 16) - _ALERT_REASONS
        if number in alerts():
            yield _Hit(*match.span(), _of_alert(number, match[0]))


@cache
def _spellings() -> dict[str, int]:
    """The names of alerts in the words of a sentence, as OpenSSL's messages have them."""
    found = {one.name.replace("_", " "): number for number, one in alerts().items()}
    return found | {"user cancelled": 90}


@cache
def _spoken() -> re.Pattern[str]:
    """`tlsv1 alert unknown ca`, `sslv3 alert handshake failure`, `tlsv1 unrecognized name`."""
    names = "|".join(sorted(_spellings(), key=len, reverse=True))
    return re.compile(rf"\b(?:sslv3|tlsv1|tlsv13)(?: alert)? ({names})\b", re.IGNORECASE)


def _numbered(family: str, pattern: re.Pattern[str]) -> Callable[[str], Iterator[_Hit]]:
    """Finds numbers whose surroundings name the family."""

    def find(text: str) -> Iterator[_Hit]:
        codes = code_tables()[family].codes
        for match in pattern.finditer(text):
            code = next(group for group in match.groups() if group)
            if code in codes:
                yield _Hit(*match.span(), _of_code(family, code, match[0]))

    return find


def _numbers(text: str) -> Iterator[_Hit]:
    """Numbers that stand in one of Apple's tables and mean nothing else."""
    for match in _NUMBER.finditer(text):
        for family in ("apple-ssl", "apple-url", "apple-trust"):
            if match[1] in code_tables()[family].codes:
                yield _Hit(*match.span(), _of_code(family, match[1], match[0]))


@cache
def named_codes() -> dict[str, tuple[str, str]]:
    """Name -> family and code, of all tables; names of alerts as Python gives them too."""
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


def _named(text: str) -> Iterator[_Hit]:
    reasons = {one.python.partition(" ")[0]: number for number, one in alerts().items()}
    reasons |= {one.firefox: number for number, one in alerts().items()}
    for match in _NAME.finditer(text):
        if match[0] in named_codes():
            yield _Hit(*match.span(), _of_code(*named_codes()[match[0]], match[0]))
        elif match[0] in reasons:
            yield _Hit(*match.span(), _of_alert(reasons[match[0]], match[0]))


def _categories(text: str) -> Iterator[_Hit]:
    for match in _CATEGORY.finditer(text):
        if match[0] in known_categories():
            yield _Hit(*match.span(), _of_category(match[0]))


_FINDERS: tuple[Callable[[str], Iterator[_Hit]], ...] = (
    _phrases,
    _alerts,
    _numbered("openssl", _VERIFY),
    _numbered("curl", _CURL),
    _numbered("chrome", _NET),
    _numbers,
    _named,
    _categories,
)


# A log repeats itself: what was explained once is kept.
@lru_cache(maxsize=1024)
def _of_code(family: str, code: str, text: str) -> Explained:
    table = code_tables()[family]
    one = table.codes[code]
    name = one.name if one.name == code else f"{one.name} ({code})"
    return Explained(
        printable(text),
        name,
        table.title,
        one.says or "Its name says what it is; it is rare.",
        one.leaves_open,
        spelled_out(one.categories),
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
        (f"alert-{number}", *_ALERT_MEANS.get(number, ())),
    )


_ABOUT_CERTIFICATES = range(42, 50)
_IN_A_SERVERS_LOG = (
    "Who sent it. In a server's log it came from the client, which then refused the server's"
    " certificates."
)
_ALERT_MEANS = {
    40: ("no-shared-cipher", "client-certificate-required"),
    70: ("no-shared-version",),
    116: ("client-certificate-required",),
}


@cache
def _of_category(name: str) -> Explained:
    one = ending(name)
    fix = f" What to do: {one.fix.replace('{missing}', 'the intermediate')}." if one.fix else ""
    return Explained(name, name, "tls-stress", one.meaning + fix, categories=(name,))
