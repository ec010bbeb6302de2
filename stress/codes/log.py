"""Reduces a log of any size to the lines that may say something about TLS, each kind once.

Logs repeat themselves: a million lines of one failure differ in their times and ports. A line of a
large log is kept if it has a text without which no table knows it, and if no line before it had the
same words and the same codes. So the work that follows depends on what a log says, not on its
length.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from operator import or_

from stress.codes.catalog import alerts, code_tables, phrases

SMALL = 200_000
"""Characters of a first piece that is kept whatever it says."""
LONGEST = 3_000_000
"""Characters that are kept: the last ones, because the failure is at the end."""
_PIECES = 8
"""How many pieces of a log that is all about TLS are taken for alike."""
_MOST_SHAPES = 20_000
"""Different lines, numbers aside, whose codes are looked for."""

_TELLTALES = (
    *("ssl", "tls", "cert", "handshak", "alert", "error", "connect", "refused", "timeout", "x509"),
    *("curl", "timed out", "peer", "econn", " -1", " -9", " -6", " -2", ":-", "(-", "[-", "=-"),
    *("0x8009", "0x800b", "sec_e", "errsec", "nsurl", "kcfurl", "event id 36", "ah0", "pkix"),
    *(
        "-chain",
        "-leaf",
        "-mismatch",
        "-root",
        "-signed",
        "cipher",
        "unsupp",
        "unreach",
        "signatur",
    ),
    *("too small", "too weak", "too low", "too long", "too many", "notvalid", "eof", "resolv"),
    *("getaddrinfo", "unknownhost", "no such host", "servname", "hostname", "subject", "issuer"),
    *(
        "verif",
        "eproto",
        "renegotiation",
        "critical",
        "subtree",
        "conntrack",
        "listen queue",
        "l4t",
    ),
    *("l4con", "l6rsp", "l6tout", "broken pipe", "neighb", "fallback", "wrong", "revo", "anchor"),
    *("err_", "_too_", ":http", "[errno", "timedout", "reached ", "check failed", "does not "),
    *("failed to ", "closed", "constraint", "cannot ", "dropping", "http response", "protocol"),
    *("bad ", "http request", "principal", "alpn", "purpose", "shared", "untrust", "proxy prot"),
)
"""In lower case: nearly every message has one of them; the others stand for themselves."""
_DIGITS, _NUMERALS = re.compile(r"(\d+)"), b"0123456789"
_CODES = re.compile(
    r"(?:alert|err|code|curl|event|\bid|num|result|reason|exit| is)[^0-9\n]{0,12}[0-9A-Fa-f]{1,8}"
    r"|(?<![\w.-])(?:\d:)?-\d+",
    re.IGNORECASE,
)
"""Where a number may be a code: lines that differ in one of them are different."""


@dataclass(frozen=True, slots=True)
class Log:
    """What is left of a log."""

    text: str
    """The lines that are kept, each ended by a line feed."""
    numbers: tuple[int, ...]
    """Of each kept line, which line of the log it was."""
    repeats: tuple[int, ...]
    """Of each kept line, how many lines of the log say the same."""
    lines: int
    """Lines of the log that are not blank."""
    silent: tuple[int, str]
    """The first of them, and its number, that was left out as nothing in it can be known; or 0."""
    cut: bool
    """There was more to keep: the first lines are missing."""


def condense(pieces: Iterable[str]) -> Log:
    """Reads a log once, in memory that does not grow with it.

    Args:
        pieces: the log, cut at ends of lines. A first piece of `SMALL` characters is kept whole.
    """
    kept: deque[tuple[int, str, int]] = deque()
    # What lines say without their numbers -> which of the numbers may be codes.
    coded: dict[int, list[int]] = {}
    repeats: dict[int, int] = {}  # the same with these numbers -> how many lines
    number = lines = size = 0
    silent, cut, next_look = (0, ""), False, 0
    for count, piece in enumerate(pieces):
        told = None
        if count >= next_look and (number or len(piece) > SMALL):
            told = _telling(piece)
            # Where most lines may say something, the next pieces are much the same.
            next_look = count + (_PIECES if told is None else 1)
        for place, line in enumerate(piece.removesuffix("\n").split("\n")):
            number += 1
            if not line or line.isspace():
                continue
            lines += 1
            if told is not None and not told[place]:
                silent = silent if silent[0] else (number, line)
                continue
            text = line.rstrip()
            parts = _DIGITS.split(text)
            key = hash(tuple(parts[::2]))
            codes = coded.get(key)
            if codes is None and len(coded) < _MOST_SHAPES:
                codes = coded[key] = _code_numbers(text, parts)
            key = hash((key, *(parts if codes is None else [parts[one] for one in codes])))
            if key in repeats:
                repeats[key] += 1
                continue
            repeats[key] = 1
            kept.append((number, text, key))
            size += len(text) + 1
            while size > LONGEST and len(kept) > 1:
                _, dropped, key = kept.popleft()
                del repeats[key]
                size -= len(dropped) + 1
                cut = True
    return Log(
        "".join(f"{text}\n" for _, text, _ in kept),
        tuple(number for number, _, _ in kept),
        tuple(repeats[key] for _, _, key in kept),
        lines,
        silent,
        cut,
    )


def _code_numbers(line: str, parts: list[str]) -> list[int]:
    """Which parts of a line that was split at its numbers may be codes."""
    places = {at for match in _CODES.finditer(line) for at in range(*match.span())}
    ends = accumulate(map(len, parts))
    return [index for index, end in enumerate(ends) if index % 2 and end - 1 in places]


def _telling(piece: str) -> list[bool] | None:
    """Which lines may say something; None: most do, so that all are looked at.

    Lines of a log repeat each other but for their numbers. So most telltales are looked for in what
    is left of the lines without digits, and there once in each text: that finds a line too many at
    most, and does not take longer the more telltales there are.
    """
    # As bytes only ASCII is folded, and digits are left out in one go.
    folded = piece.removesuffix("\n").encode("utf-8", "surrogatepass").lower()
    lines, texts = folded.split(b"\n"), folded.translate(None, _NUMERALS).split(b"\n")
    every = [telltale.encode() for telltale in telltales()]
    numbered = [one for one in every if one.translate(None, _NUMERALS) != one]
    distinct = b"\n".join(set(texts)) + b"\n"
    if len(distinct) * 4 > len(folded):  # too few repeat each other
        told = _told(lines, _starts(folded, every))
    else:
        starts = _starts(distinct, [one for one in every if one not in numbered])
        words = {distinct[at : distinct.index(b"\n", at)] for at in starts}
        told = [text in words for text in texts]
        if sum(told) <= len(told) / 2:
            told = list(map(or_, told, _told(lines, _starts(folded, numbered))))
    return None if sum(told) > len(told) / 2 else told


def _starts(text: bytes, telltales: Iterable[bytes]) -> set[int]:
    """Where the lines begin that have one of these."""
    starts = set[int]()
    for telltale in telltales:
        at = text.find(telltale)
        while at >= 0:
            starts.add(text.rfind(b"\n", 0, at) + 1)
            end = text.find(b"\n", at)
            at = text.find(telltale, end) if end >= 0 else -1
    return starts


def _told(lines: Iterable[bytes], starts: set[int]) -> list[bool]:
    """Which of these lines begin at one of the places."""
    at, told = 0, []
    for line in lines:
        told.append(at in starts)
        at += len(line) + 1
    return told


@cache
def telltales() -> tuple[str, ...]:
    """Texts in lower case: every message of every table has one of them."""
    messages = [phrase.text for phrase in phrases()]
    messages += [one.name for table in code_tables().values() for one in table.codes.values()]
    messages += [one.firefox for one in alerts().values() if one.firefox]
    found = list(_TELLTALES)
    for message in sorted(map(str.casefold, messages), key=len):
        if not any(telltale in message for telltale in found):
            found.append(message)
    return tuple(found)
