"""FTP (RFC 4217; replies: RFC 959)."""

from __future__ import annotations

from stress.dialogues.dialogue import Go, Talk, not_offered, refused

_SOON = 120
_NOT_THERE = frozenset({500, 502, 503, 504, 530})
"""No such command, or no TLS in it; servers without TLS also ask to log in first."""


def ftp(talk: Talk) -> Go:
    """Greeting, AUTH TLS."""
    greeting = yield from talk.reply()
    if greeting.code == _SOON:
        greeting = yield from talk.reply()
    if greeting.code != 220:
        raise refused(greeting.shown)
    answer = yield from talk.reply(b"AUTH TLS\r\n")
    if answer.code in _NOT_THERE:
        raise not_offered(answer.shown)
    if answer.code != 234:
        raise refused(answer.shown)
    return b""
