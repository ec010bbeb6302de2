"""Explains codes and pasted logs: what they say, what they leave open, and how to find out.

A code on a phone names a stage, rarely a defect: iOS 11 reports every trust failure as -9807. So an
explanation lists the outcomes that fit everything found in the text, and the command that tells
them apart on the server itself.

Logs repeat themselves: a million lines of one failure differ in their times and ports. So a log of
any size is first reduced (`condense`). A line of a large one is kept if it has a text without which
no table knows it, and if no line before it had the same words and the same codes. The work that
follows depends on what a log says, not on its length.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import accumulate, islice
from operator import or_

from stress.codes.catalog import (
    code_tables,
    conclusions,
    hosts,
    outcome_entries,
    phrases,
    telltales,
)
from stress.codes.recognise import AS_TYPED, LONGEST_CODE, Explained, Hit, named_codes, recognise
from stress.model.outcome import Category, Outcome
from stress.text.escape import printable

SMALL = 200_000
"""Characters of a first piece that is kept whatever it says."""
LONGEST = 3_000_000
"""Characters that are kept: the last ones, because the failure is at the end."""
_PIECES = 8
"""How many pieces of a log that is all about TLS are taken for alike."""
_MOST_SHAPES = 20_000
"""Different lines, numbers aside, whose codes are looked for."""

_MOST = 50
"""Findings, and unknown names, that are reported."""
_QUOTED = 100
"""Characters of a line that is quoted."""
_NEAR = 500
"""Numbers further apart than this are unrelated; a smaller distance may be a typing mistake."""

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
    written_by: tuple[str, ...]
    """Who wrote the lines with findings, as far as they show it."""
    hop: bool
    """A finding is about a connection behind the writer: clients in front of it see another."""
    conclusion: str
    """What all findings say together, in plain words."""
    leaves_open: tuple[str, ...]
    """What they do not say, each once."""
    categories: tuple[str, ...]
    """Outcomes that fit everything that was found."""
    command: str
    """The `tls-stress run` line that finds out."""
    lines: int
    """Lines of the text that are not blank."""
    not_understood: int
    """Lines in which nothing was recognised."""
    first_not_understood: tuple[int, str]
    """Its number and its text; 0 if there is none."""
    cut: bool
    """The text was too long, and only its end counts."""


def explain(text: str) -> Explanation:
    """Explains one code, one phrase, or a whole pasted log. Never raises."""
    return explain_log(["\n".join(text.splitlines())])


def explain_log(pieces: Iterable[str]) -> Explanation:
    """Explains a log of any length, which is read once.

    Args:
        pieces: the log, cut at ends of lines.
    """
    log = condense(pieces)
    hits = recognise(log.text)
    first: dict[tuple[str, str], Explained] = {}
    for hit in hits:
        first.setdefault((hit.found.name, hit.found.family), hit.found)
    found = tuple(first.values())
    # Whatever says only that something failed is silent where anything says what. Then: what fits
    # everything found; if nothing does, what fits most of it.
    telling = [one for one in found if (one.categories or one.decides) and not one.general] or found
    counts = Counter(name for one in telling for name in one.categories)
    most = max(counts.values(), default=0)
    candidates = tuple(name for name, count in counts.items() if count == most)

    kinds = {Outcome.parse(name).kind.value for name in candidates} if found else {"unknown"}
    conclusion = conclusions().get(",".join(kinds), conclusions()["mixed"])
    pins = " --pin sha256//…" if candidates == (Category.PIN_MISMATCH.value,) else ""
    count, unclear = _not_understood(log, hits)
    return Explanation(
        found[:_MOST],
        tuple(islice(_unknown(log.text, hits), _MOST)),
        tuple(dict.fromkeys(one.writer.name for one in hits if one.writer)),
        any(one.writer and one.writer.hop for one in hits),
        conclusion,
        tuple(dict.fromkeys(one.leaves_open for one in telling if one.leaves_open)),
        candidates,
        f"tls-stress run {_host(log.text, hits)}{pins}",
        log.lines,
        count,
        unclear,
        log.cut,
    )


def _not_understood(log: Log, hits: Iterable[Hit]) -> tuple[int, tuple[int, str]]:
    """How many lines say nothing that is known, and the first of them with its number."""
    lines = log.text.splitlines()
    starts = [0, *accumulate(len(line) + 1 for line in lines)]
    understood = {
        index
        for hit in hits
        for index in range(bisect_right(starts, hit.start) - 1, bisect_right(starts, hit.end - 1))
    }
    count = log.lines - sum(log.repeats[index] for index in understood if index < len(lines))
    silent = [
        (log.numbers[index], line) for index, line in enumerate(lines) if index not in understood
    ][:1]
    if log.silent[0]:
        silent.append(log.silent)
    number, line = min(silent, default=(0, ""))
    return count, (number, printable(line.strip(), _QUOTED))


_HOST_WORD = (
    r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(?::(?P<port>\d{1,5}))?(?![\w:])"
)


def _host(text: str, hits: Iterable[Hit]) -> str:
    """The host that the failing connections were for, with its port; `HOST` where none is named.

    Lines with findings count more than the others.
    """
    text = text.translate(AS_TYPED)
    lines = dict.fromkeys(
        text[text.rfind("\n", 0, hit.start) + 1 : text.find("\n", hit.start)]
        for hit in islice(hits, _MOST)
    )
    for part in ("\n".join(lines), text):
        for pattern in hosts().patterns:
            found = re.finditer(pattern.replace("HOST", _HOST_WORD), part)
            for match in islice(found, _MOST):
                host, port = match["host"], match["port"]
                if host not in hosts().manuals:
                    return f"{host}:{port}" if port and port != "443" else host
    return "HOST"


_LIKE_A_CODE = re.compile(
    r"(?<![\w.-])-98\d\d\b|\b(?:ERR|SEC_ERROR|SSL_ERROR|X509_V_ERR)_[A-Z_\d]{4,60}\b"
)


def _unknown(text: str, hits: Iterable[Hit]) -> Iterator[Unknown]:
    """What looks like a code where nothing was recognised."""
    whole = text.strip()
    if not hits and whole and len(whole) <= LONGEST_CODE and "\n" not in whole:
        yield Unknown(printable(whole), _nearest(whole))
        return
    starts = [hit.start for hit in hits]
    ends = [0, *(hit.end for hit in hits)]
    names: dict[str, None] = {}
    for match in _LIKE_A_CODE.finditer(text):
        if ends[bisect_right(starts, match.start())] <= match.start():
            names[match[0]] = None
    for name in names:
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
