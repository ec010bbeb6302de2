"""IMAP (RFC 9051 section 6.2.1, first in RFC 2595)."""

from __future__ import annotations

from stress.dialogues.dialogue import (
    Go,
    Reading,
    Talk,
    check_count,
    not_offered,
    refused,
    unexpected,
)


def imap(talk: Talk) -> Go:
    """Greeting, CAPABILITY unless the greeting has them, STARTTLS."""
    greeting = yield from talk.line()
    word = greeting.upper().split()[1:2] if greeting.startswith(b"* ") else []
    if word == [b"BYE"]:
        raise refused(greeting)
    if word == [b"PREAUTH"]:  # STARTTLS is only for who has not logged in
        raise not_offered(greeting)
    if word != [b"OK"]:
        raise unexpected("an IMAP greeting", greeting)
    if not _offers(greeting):
        said, _ = yield from _answer(talk, b"a1", b"CAPABILITY")
        if not any(map(_offers, said)):
            raise not_offered()
    _, answer = yield from _answer(talk, b"a2", b"STARTTLS")
    if answer.upper().split()[1:2] != [b"OK"]:
        raise refused(answer)
    return b""


def _answer(talk: Talk, tag: bytes, command: bytes) -> Reading[tuple[list[bytes], bytes]]:
    """Send a command; return the untagged lines, which may come at any time, and the tagged one."""
    line = yield from talk.line(b"%s %s\r\n" % (tag, command))
    untagged: list[bytes] = []
    while not line.startswith(tag + b" "):
        if line[:5].upper() == b"* BYE":
            raise refused(line)
        if not line.startswith(b"* "):
            raise unexpected("an IMAP answer", line)
        untagged.append(line)
        check_count(untagged)
        line = yield from talk.line()
    return untagged, line


def _offers(line: bytes) -> bool:
    words = line.upper().replace(b"]", b" ").replace(b"[", b" ").split()
    return b"CAPABILITY" in words and b"STARTTLS" in words
