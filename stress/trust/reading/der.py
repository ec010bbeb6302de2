"""Reads DER, one element after the other, for any bytes; names object identifiers (`oids.toml`).

Why our own reader besides `cryptography`: that library decodes all extensions of a certificate at
once, so one odd part (a 2-byte iPAddress, a T61String, the year 0) hides all the others. Here each
part is cut out first and then decoded alone; what cannot be decoded becomes a note, and the rest
stays readable. Nothing here checks a signature or a policy.

Invariants: a length never reaches beyond its parent; tags over 30 are errors; indefinite lengths
(BER), which OpenSSL and Java read, are read, too; one level at a time and no recursion, so no depth
can exhaust the stack.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import msgspec

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
SEQUENCE, SET = 0x30, 0x31

_OTHER_TIMES = re.compile(r"\.\d+Z$|[+-]\d{4}$")
"""A fraction, or an offset."""
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class DerError(ValueError):
    """Bytes that are not DER, or not of the expected type."""


class OddFormError(DerError):
    """A value in a form that is forbidden, but that some clients read.

    Args:
        message: what is odd.
        value: what those clients read.
        kind: tells this form from others of the same part.
    """

    def __init__(self, message: str, value: object, kind: str = "form") -> None:
        super().__init__(message)
        self.value, self.kind = value, kind


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its tag octet, its content, and all its octets."""

    tag: int
    body: bytes
    raw: bytes

    def children(self) -> list[Element]:
        """The elements inside.

        Raises:
            DerError: the content is not a series of elements.
        """
        return list(elements(self.body))

    def first(self, tag: int) -> Element:
        """The first element inside, if it has this tag.

        Raises:
            DerError: there is none, or it has another tag.
        """
        for child in elements(self.body):
            return child.expect(tag)
        raise DerError("an empty element")

    def expect(self, tag: int) -> Element:
        """The element itself, if it has this tag.

        Raises:
            DerError: another tag.
        """
        if self.tag != tag:
            raise DerError(f"tag 0x{self.tag:02x} where 0x{tag:02x} is expected")
        return self


def elements(data: bytes) -> Iterator[Element]:
    """The elements that follow one another in `data`.

    Raises:
        DerError: while iterating, at the first invalid octet.
    """
    at = 0
    while at < len(data):
        if data[at] & 0x1F == 0x1F:
            raise DerError("a tag of several octets")
        if at + 1 >= len(data):
            raise DerError("the length is missing")
        head, length = 2, data[at + 1]
        if length == 0x80 and data[at] & 0x20:
            end = _end_of_contents(data, at + 2)
            yield Element(data[at], data[at + 2 : end - 2], data[at:end])
            at = end
            continue
        if length >= 0x80:
            octets = length & 0x7F
            if not 1 <= octets <= 4 or at + 2 + octets > len(data):
                raise DerError(f"a length of {octets} octets")
            head = 2 + octets
            length = int.from_bytes(data[at + 2 : at + head], "big")
        end = at + head + length
        if end > len(data):
            raise DerError(f"length {length} reaches {end - len(data)} octets beyond the end")
        yield Element(data[at], data[at + head : end], data[at:end])
        at = end


def _end_of_contents(data: bytes, at: int) -> int:
    """Where an element of indefinite length ends that begins at `at` (BER, X.690 section 8.1.5)."""
    depth = 1
    while at + 2 <= len(data):
        length = data[at + 1]
        if data[at] & 0x20 and length == 0x80:
            depth, at = depth + 1, at + 2
        elif length >= 0x80:
            octets = length & 0x7F
            at += 2 + octets + int.from_bytes(data[at + 2 : at + 2 + octets], "big")
        else:
            depth -= data[at : at + 2] == b"\0\0"
            at += 2 + length
        if not depth:
            return at
    raise DerError("an indefinite length without an end")


def single(data: bytes) -> Element:
    """The one element that `data` is.

    Raises:
        DerError: none, more than one, or not DER.
    """
    found = list(elements(data))
    if len(found) != 1:
        raise DerError(f"{len(found)} elements where one is expected")
    return found[0]


def first(data: bytes) -> Element:
    """The first element of `data`: what follows the value of an extension is ignored by many.

    Raises:
        DerError: none, or not DER.
    """
    for element in elements(data):
        return element
    raise DerError("no element where one is expected")


def oid(body: bytes) -> str:
    """The dotted form of an object identifier's content.

    Raises:
        DerError: empty, cut, or with an arc of more than 16 octets.
        OddFormError: with leading zeros, which some clients read.
    """
    if not body or body[-1] & 0x80:
        raise DerError("an object identifier that is cut")
    arcs: list[int] = []
    value, octets = 0, 0
    for octet in body:
        value = value << 7 | octet & 0x7F
        octets += 1
        if octets > 16:
            raise DerError("an object identifier with an endless arc")
        if not octet & 0x80:
            arcs.append(value)
            value, octets = 0, 0
    first = min(arcs[0] // 40, 2)
    dotted = ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))
    if body[0] == 0x80:
        raise OddFormError("an object identifier with leading zeros", dotted, "")
    return dotted


def oids(bodies: Iterable[bytes]) -> tuple[tuple[str, ...], OddFormError | None]:
    """The dotted forms, those with leading zeros too, and the last of their errors.

    Raises:
        DerError: as `oid`.
    """
    found, odd = list[str](), None
    for body in bodies:
        try:
            found.append(oid(body))
        except OddFormError as error:
            found.append(str(error.value))
            odd = error
    return tuple(found), odd


def integer(body: bytes) -> int:
    """A signed integer's content.

    Raises:
        DerError: no octet.
    """
    if not body:
        raise DerError("an integer without octets")
    return int.from_bytes(body, "big", signed=True)


def bits(body: bytes) -> bytes:
    """The octets of a bit string's content, without the count of unused bits.

    Raises:
        DerError: no octet, or more than 7 unused bits.
    """
    if not body or body[0] > 7:
        raise DerError("a bit string without a count of unused bits")
    return body[1:]


def _usual_form(tag: int, text: str) -> tuple[str, str, str, int]:
    """A time in the form that RFC 5280 wants, what was odd, its kind, and minutes of an offset."""
    found = _OTHER_TIMES.search(text)
    if tag == UTC_TIME and len(text) == 11 and text[10] == "Z":
        return text[:10] + "00Z", f"the time {text!r} has no seconds", "form", 0
    if tag == GENERALIZED_TIME and len(text) == 13 and text[12] == "Z":
        return text[:12] + "00Z", f"the time {text!r}", "minutes", 0
    if tag not in {UTC_TIME, GENERALIZED_TIME} or not found:
        return text, "", "form", 0
    offset, usual = found[0], _OTHER_TIMES.sub("Z", text)
    if offset[0] == "." or offset[1:] == "0000":
        return usual, f"the time {text!r}", "offset", 0
    minutes = 60 * int(offset[1:3]) + int(offset[3:5])
    minutes = -minutes if offset[0] == "-" else minutes
    return usual, f"the time {text!r} has an offset", "offset", minutes


def seconds(element: Element) -> int:
    """Unix seconds of a UTCTime or GeneralizedTime (RFC 5280 section 4.1.2.5).

    Counted by hand, because real certificates contain the year 0, which the proleptic Gregorian
    calendar has but Python's datetime does not.

    Raises:
        DerError: another tag, another form than `[YY]YYMMDDHHMMSSZ`, or no such day.
    """
    text, odd, kind, later = _usual_form(element.tag, element.body.decode("ascii", "replace"))
    if element.tag == UTC_TIME and len(text) == 13:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif element.tag != GENERALIZED_TIME or len(text) != 15:
        raise DerError(f"a time of {len(element.body)} octets with tag 0x{element.tag:02x}")
    if not text[:14].isascii() or not text[:14].isdecimal() or text[14] != "Z":
        raise DerError(f"the time {text!r}")
    year = int(text[:4])
    month, day, hour, minute, second = (int(text[at : at + 2]) for at in range(4, 14, 2))
    leap = not year % 4 and (year % 100 != 0 or not year % 400)
    if not (1 <= month <= 12 and 1 <= day <= 31):
        raise DerError(f"the day {year:04d}-{month:02d}-{day:02d}")
    if day > _DAYS[month - 1] - (month == 2 and not leap):
        odd, kind = f"the day {year:04d}-{month:02d}-{day:02d}", "day"  # some count on
    if second == 60:
        odd, kind = f"the time {hour:02d}:{minute:02d}:60", "second"
    if hour > 23 or minute > 59 or second > 60:
        raise DerError(f"the time {hour:02d}:{minute:02d}:{second:02d}")
    # Days from civil: years begin in March, so that the leap day is the last of its year.
    years = year - (month <= 2)
    era, of_era = divmod(years, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    days = era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
    value = ((days * 24 + hour) * 60 + minute - later) * 60 + second
    if odd:
        raise OddFormError(odd, value, kind)
    return value


@dataclass(frozen=True, slots=True)
class Tables:
    """What object identifiers stand for; all keys of these tables are dotted identifiers."""

    critical: frozenset[str]
    """Names of the extensions that every client understands when they are critical."""
    names: Mapping[str, str]
    """Of extensions, purposes and attributes of distinguished names."""
    curves: Mapping[str, tuple[str, int]]
    """Name and bits."""
    own_algorithms: Mapping[str, tuple[str, int]]
    """Keys that are their own signature algorithm."""
    signatures: Mapping[str, tuple[str, str]]
    """Scheme and digest."""
    digests: Mapping[str, str]


@cache
def tables() -> Tables:
    """Everything in the file."""
    text = (files("stress.trust.reading") / "oids.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), Tables)


def named(identifier: str) -> str:
    """The name of an extension, purpose or attribute; the identifier if we know none."""
    return tables().names.get(identifier, identifier)
