"""Scripts of protocols in lines of text.

SMTP, LMTP, FTP and NNTP answer with replies of three digits; POP3, IMAP and ManageSieve with words.
"""

from __future__ import annotations

import re

from stress.dialogues.dialogue import (
    Go,
    Reading,
    Talk,
    check_count,
    not_offered,
    refused,
    unexpected,
)

_SMTP_UNKNOWN = frozenset({500, 502})
"""What a server without extensions answers to EHLO (RFC 5321 section 4.2.4)."""
_FTP_SOON = 120
_FTP_UNKNOWN = frozenset({500, 502, 503, 504, 530})
"""No such command, or no TLS in it; servers without TLS also ask to log in first."""
_NNTP_READY = frozenset({200, 201})
_SIEVE_LITERAL = re.compile(rb"\{(\d{1,5})\+?\}$")


def smtp(talk: Talk, hello: bytes = b"EHLO") -> Go:
    """Greeting, EHLO, STARTTLS (RFC 3207)."""
    greeting = yield from talk.reply()
    if greeting.code != 220:
        raise refused(greeting.shown)
    # Who has no name of its own gives its address (RFC 5321 section 4.1.4).
    name = f"IPv6:{talk.local}" if ":" in talk.local else talk.local
    offers = yield from talk.reply(b"%s [%s]\r\n" % (hello, name.encode()))
    if offers.code in _SMTP_UNKNOWN:
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
    """Greeting, LHLO, STARTTLS (RFC 2033 section 4.1)."""
    return smtp(talk, b"LHLO")


def ftp(talk: Talk) -> Go:
    """Greeting, AUTH TLS (RFC 4217; replies: RFC 959)."""
    greeting = yield from talk.reply()
    if greeting.code == _FTP_SOON:
        greeting = yield from talk.reply()
    if greeting.code != 220:
        raise refused(greeting.shown)
    answer = yield from talk.reply(b"AUTH TLS\r\n")
    if answer.code in _FTP_UNKNOWN:
        raise not_offered(answer.shown)
    if answer.code != 234:
        raise refused(answer.shown)
    return b""


def nntp(talk: Talk) -> Go:
    """Greeting, CAPABILITIES, STARTTLS (RFC 4642; capabilities: RFC 3977 section 5.2)."""
    greeting = yield from talk.reply()
    if greeting.code not in _NNTP_READY:
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


def pop3(talk: Talk) -> Go:
    """Greeting, CAPA, STLS (RFC 2595 section 4; capabilities: RFC 2449)."""
    greeting = yield from talk.line()
    if greeting.startswith(b"-ERR"):
        raise refused(greeting)
    if not greeting.startswith(b"+OK"):
        raise unexpected("a POP3 greeting", greeting)
    answer = yield from talk.ask(b"CAPA\r\n")
    if answer.startswith(b"+OK"):
        offers = yield from talk.lines()
        if b"STLS" not in map(bytes.upper, offers):
            raise not_offered()
    elif not answer.startswith(b"-ERR"):  # a server without CAPA may have STLS all the same
        raise unexpected("a POP3 answer", answer)
    knows_capabilities = answer.startswith(b"+OK")
    answer = yield from talk.ask(b"STLS\r\n")
    if not answer.startswith(b"+OK"):
        raise refused(answer) if knows_capabilities else not_offered(answer)
    return b""


def imap(talk: Talk) -> Go:
    """Greeting, CAPABILITY unless the greeting has them, STARTTLS (RFC 9051 section 6.2.1)."""
    greeting = yield from talk.line()
    word = greeting.upper().split()[1:2] if greeting.startswith(b"* ") else []
    if word == [b"BYE"]:
        raise refused(greeting)
    if word == [b"PREAUTH"]:  # STARTTLS is only for who has not logged in
        raise not_offered(greeting)
    if word != [b"OK"]:
        raise unexpected("an IMAP greeting", greeting)
    if not _imap_offers(greeting):
        said, _ = yield from _imap_answer(talk, b"a1", b"CAPABILITY")
        if not any(map(_imap_offers, said)):
            raise not_offered()
    _, answer = yield from _imap_answer(talk, b"a2", b"STARTTLS")
    if answer.upper().split()[1:2] != [b"OK"]:
        raise refused(answer)
    return b""


def _imap_answer(talk: Talk, tag: bytes, command: bytes) -> Reading[tuple[list[bytes], bytes]]:
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


def _imap_offers(line: bytes) -> bool:
    words = line.upper().replace(b"]", b" ").replace(b"[", b" ").split()
    return b"CAPABILITY" in words and b"STARTTLS" in words


def sieve(talk: Talk) -> Go:
    """Capabilities, which the server lists unasked; STARTTLS (RFC 5804 sections 1.7 and 2.2)."""
    offers, end = yield from _sieve_answer(talk)
    if not end.upper().startswith(b"OK"):
        raise refused(end)
    if not any(line.upper().startswith(b'"STARTTLS"') for line in offers):
        raise not_offered()
    talk.check_nothing_came()
    _, end = yield from _sieve_answer(talk, b"STARTTLS\r\n")
    if not end.upper().startswith(b"OK"):
        raise refused(end)
    return b""


def _sieve_answer(talk: Talk, command: bytes = b"") -> Reading[tuple[list[bytes], bytes]]:
    """Send a command; return the lines of data, and the one of OK, NO or BYE that ends them."""
    line = yield from _sieve_line(talk, command)
    taken: list[bytes] = []
    while line[:3].upper().rstrip() not in {b"OK", b"NO", b"BYE"}:
        taken.append(line)
        check_count(taken)
        line = yield from _sieve_line(talk)
    return taken, line


def _sieve_line(talk: Talk, command: bytes = b"") -> Reading[bytes]:
    """Read a line with the strings in it that are given by their length."""
    line = yield from talk.line(command)
    while literal := _SIEVE_LITERAL.search(line):
        line += yield from talk.exactly(int(literal[1]))
        line += yield from talk.line()
    return line
