"""SMTP (RFC 3207) and LMTP (RFC 2033 section 4.1), which says LHLO instead of EHLO."""

from __future__ import annotations

from stress.dialogues.dialogue import Go, Talk, not_offered, refused

_UNKNOWN_COMMAND = frozenset({500, 502})
"""What a server without extensions answers to EHLO (RFC 5321 section 4.2.4)."""


def smtp(talk: Talk, hello: bytes = b"EHLO") -> Go:
    """Greeting, EHLO, STARTTLS."""
    greeting = yield from talk.reply()
    if greeting.code != 220:
        raise refused(greeting.shown)
    # Who has no name of its own gives its address (RFC 5321 section 4.1.4).
    name = f"IPv6:{talk.local}" if ":" in talk.local else talk.local
    offers = yield from talk.reply(b"%s [%s]\r\n" % (hello, name.encode()))
    if offers.code in _UNKNOWN_COMMAND:
        raise not_offered(offers.shown)
    if offers.code != 250:
        raise refused(offers.shown)
    if not any(line.split()[:1] == [b"STARTTLS"] for line in map(bytes.upper, offers.lines[1:])):
        raise not_offered()
    answer = yield from talk.reply(b"STARTTLS\r\n")
    if answer.code != 220:
        raise refused(answer.shown)
    return b""


def lmtp(talk: Talk) -> Go:
    """Greeting, LHLO, STARTTLS."""
    return smtp(talk, b"LHLO")
