"""NNTP (RFC 4642; capabilities: RFC 3977 section 5.2)."""

from __future__ import annotations

from stress.dialogues.dialogue import Go, Talk, not_offered, refused

_READY = frozenset({200, 201})


def nntp(talk: Talk) -> Go:
    """Greeting, CAPABILITIES, STARTTLS."""
    greeting = yield from talk.reply()
    if greeting.code not in _READY:
        raise refused(greeting.shown)
    answer = yield from talk.reply(b"CAPABILITIES\r\n")
    if answer.code != 101:
        raise not_offered(answer.shown)
    offers = yield from talk.lines()
    if not any(line.split()[:1] == [b"STARTTLS"] for line in map(bytes.upper, offers)):
        raise not_offered()
    answer = yield from talk.reply(b"STARTTLS\r\n")
    if answer.code != 382:
        raise refused(answer.shown)
    return b""
