"""ManageSieve (RFC 5804 sections 1.7 and 2.2)."""

from __future__ import annotations

import re

from stress.dialogues.dialogue import Go, Reading, Talk, check_count, not_offered, refused

_LITERAL = re.compile(rb"\{(\d{1,5})\+?\}$")


def sieve(talk: Talk) -> Go:
    """Capabilities, which the server lists unasked; STARTTLS."""
    offers, end = yield from _answer(talk)
    if not end.upper().startswith(b"OK"):
        raise refused(end)
    if not any(line.upper().startswith(b'"STARTTLS"') for line in offers):
        raise not_offered()
    talk.check_nothing_came()
    _, end = yield from _answer(talk, b"STARTTLS\r\n")
    if not end.upper().startswith(b"OK"):
        raise refused(end)
    return b""


def _answer(talk: Talk, command: bytes = b"") -> Reading[tuple[list[bytes], bytes]]:
    """Send a command; return the lines of data, and the one of OK, NO or BYE that ends them."""
    line = yield from _line(talk, command)
    taken: list[bytes] = []
    while line[:3].upper().rstrip() not in {b"OK", b"NO", b"BYE"}:
        taken.append(line)
        check_count(taken)
        line = yield from _line(talk)
    return taken, line


def _line(talk: Talk, command: bytes = b"") -> Reading[bytes]:
    """Read a line with the strings in it that are given by their length."""
    line = yield from talk.line(command)
    while literal := _LITERAL.search(line):
        line += yield from talk.exactly(int(literal[1]))
        line += yield from talk.line()
    return line
