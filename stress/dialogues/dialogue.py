"""Drives a dialogue in clear text, up to the go-ahead for TLS: bytes in, bytes out.

A script (one file for each protocol) is a generator. It yields what is to be sent, and is called
again whenever more bytes have come; `Talk` holds those, and has the readers that scripts share.
Where a script returns, TLS begins; where it cannot go on, it raises `BreachError`.

What is tricky:

* *Bytes before they were asked for.* Whoever can write into the connection before TLS can append
  answers to those of the server (CVE-2011-0411, and its counterpart for clients). So an answer that
  comes before its command is a breach, and so is anything behind the go-ahead: it never reaches
  the TLS library, and TLS does not begin.
* *A server may say anything, for ever.* Bytes and lines are bounded here, time by the caller.

Invariant: `receive` raises nothing for what the server sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias, TypeVar

from stress.model.outcome import Category

MOST_BYTES: Final = 65_536
"""Most bytes a server may say before TLS."""
MOST_LINES: Final = 500
"""Most lines of one answer."""
LONGEST_LINE: Final = 8_192
_QUOTED: Final = 80
_REPLY: Final = re.compile(rb"[1-5]\d\d(?:[ -]|$)")

_T = TypeVar("_T")
Reading: TypeAlias = Generator[bytes, None, _T]
"""Yields what to send (mostly nothing) until what it reads has come, and returns that."""
Go: TypeAlias = Generator[bytes, None, bytes]
"""A dialogue as a whole: returns what to send right before the ClientHello."""


class Reply(NamedTuple):
    """A reply of three digits, as of SMTP, FTP and NNTP."""

    code: int
    lines: tuple[bytes, ...]
    """Without the code."""
    shown: bytes
    """Its last line, as it came."""


class BreachError(Exception):
    """A dialogue cannot go on; carries the outcome. Caught where the dialogue is driven."""

    def __init__(self, category: Category, detail: str) -> None:
        super().__init__(detail)
        self.category = category
        self.detail = detail


@dataclass(slots=True)
class Talk:
    """What has come in a dialogue, and the readers that scripts share."""

    host: str
    """Name of the server, as it is checked in its certificate."""
    local: str
    """Our own address."""
    data: bytearray = field(default_factory=bytearray)
    """Has come and was not read yet."""
    kept: bytes = b""
    """What may be kept of what is sent next, where that holds a secret; empty: all of it."""

    def exactly(self, size: int, send: bytes = b"") -> Reading[bytes]:
        """Send, then read so many bytes."""
        while len(self.data) < size:
            yield send
            send = b""
        taken = bytes(self.data[:size])
        del self.data[:size]
        return taken

    def line(self, send: bytes = b"") -> Reading[bytes]:
        """Send, then read a line; returns it without its end."""
        if send:
            yield send
        data = self.data
        while (end := data.find(b"\n")) < 0 and len(data) <= LONGEST_LINE:
            yield b""
        if not 0 <= end <= LONGEST_LINE:
            raise BreachError(
                Category.PROTOCOL_ERROR, f"a line of more than {LONGEST_LINE:,} bytes"
            )
        taken = bytes(data[:end])
        del data[: end + 1]
        return taken.removesuffix(b"\r")

    def ask(self, command: bytes) -> Reading[bytes]:
        """Send a command, then read the first line of its answer."""
        self.check_nothing_came()
        return (yield from self.line(command))

    def lines(self) -> Reading[tuple[bytes, ...]]:
        """Read lines up to one that is a dot alone (RFC 1939 section 3)."""
        taken: list[bytes] = []
        while (line := (yield from self.line())) != b".":
            taken.append(line)
            check_count(taken)
        return tuple(taken)

    def reply(self, command: bytes = b"") -> Reading[Reply]:
        """Send, then read a reply of three digits (RFC 5321 section 4.2, RFC 959 section 4.2).

        It ends with a line that has a blank behind the code. What stands between is up to the
        server in FTP, and has the code in SMTP.
        """
        line = yield from self.ask(command) if command else self.line()
        if not _REPLY.match(line):
            raise unexpected("a reply of three digits", line)
        code, taken = line[:3], [line[4:]]
        while line[3:4] == b"-" or line[:3] != code:
            line = yield from self.line()
            taken.append(line[4:] if line[:3] == code else line)
            check_count(taken)
        return Reply(int(code), tuple(taken), line)

    def check_nothing_came(self) -> None:
        """Check that everything was read.

        Raises:
            BreachError: bytes came before they were asked for.
        """
        if self.data:
            raise BreachError(
                Category.PROTOCOL_ERROR,
                f"{len(self.data):,} bytes before they were asked for: {shown(self.data)}",
            )


Script: TypeAlias = Callable[[Talk], Go]
"""Begins the dialogue of a protocol."""


def shown(data: bytes | bytearray) -> str:
    """What a server said, as harmless ASCII of at most 80 columns."""
    text = ascii(bytes(data[:_QUOTED]).decode("latin-1"))
    return text if len(text) <= _QUOTED else f"{text[: _QUOTED - 4]}{text[0]}..."


def check_count(lines: list[bytes]) -> None:
    """Check the number of lines of an answer.

    Raises:
        BreachError: there are too many.
    """
    if len(lines) > MOST_LINES:
        raise BreachError(Category.PROTOCOL_ERROR, f"an answer of more than {MOST_LINES:,} lines")


def unexpected(wanted: str, said: bytes) -> BreachError:
    """Make the end of a dialogue whose server speaks something else."""
    return BreachError(Category.PROTOCOL_ERROR, f"the answer is not {wanted}: {shown(said)}")


def refused(said: bytes) -> BreachError:
    """Make the end of a dialogue in which the server says no."""
    return BreachError(Category.STARTTLS_REFUSED, f"the server said {shown(said)}")


def not_offered(said: bytes = b"") -> BreachError:
    """Make the end of a dialogue with a server that has no STARTTLS."""
    words = f"; it said {shown(said)}" if said else ""
    return BreachError(Category.STARTTLS_NOT_OFFERED, f"the server does not offer it{words}")


@dataclass(slots=True)
class Dialogue:
    """One dialogue: bytes in, bytes out. No method raises for what the server sent."""

    script: Go
    talk: Talk
    is_over: bool = False
    """TLS may begin, or there was a `breach`."""
    breach: BreachError | None = None
    """Why TLS cannot begin."""
    is_tunnel: bool = False
    """What comes behind the go-ahead is said by another, the target: it stays in `talk.data`."""
    _received: int = 0

    @classmethod
    def of(cls, script: Script, host: str, local: str) -> Dialogue:
        """Make the dialogue of a script with a server of this name, from an address of ours."""
        talk = Talk(host, local)
        return cls(script(talk), talk)

    def begin(self) -> bytes:
        """Return what to send at once; empty where the server speaks first. Called once, first."""
        return self._advance()

    def receive(self, data: bytes) -> bytes:
        """Take bytes of the server; return what to send.

        Once it `is_over` without a breach, that goes right before the ClientHello.
        """
        self._received += len(data)
        self.talk.data += data
        if self._received > MOST_BYTES:
            self.is_over = True
            self.breach = BreachError(
                Category.PROTOCOL_ERROR, f"more than {MOST_BYTES:,} bytes before TLS"
            )
            return b""
        return self._advance()

    def _advance(self) -> bytes:
        try:
            return next(self.script)
        except StopIteration as end:
            last: bytes = end.value
        except BreachError as breach:
            self.is_over, self.breach = True, breach
            return b""
        self.is_over = True
        rest = self.talk.data
        if rest and not self.is_tunnel:
            self.breach = BreachError(
                Category.PROTOCOL_ERROR,
                f"{len(rest):,} bytes in clear text behind the go-ahead: {shown(rest)}",
            )
            return b""
        return last
