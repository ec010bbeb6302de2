"""POP3 (RFC 2595 section 4; capabilities: RFC 2449)."""

from __future__ import annotations

from stress.dialogues.dialogue import Go, Talk, not_offered, refused, unexpected


def pop3(talk: Talk) -> Go:
    """Greeting, CAPA, STLS."""
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
