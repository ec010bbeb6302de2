"""What a node of the lab says before TLS, where it has to be asked for that (STARTTLS).

The other side of `stress.dialogues`, for four protocols, and only as far as a client asks for TLS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from stress.lab.session import ServerSession
from stress.model.plan import StartTls

_LINE_END: Final = b"\r\n"


class _Words(NamedTuple):
    """What is said in one protocol."""

    greeting: bytes
    """Unasked; empty: the client speaks first."""
    answers: tuple[bytes, ...]
    """To each message of the client; a `%s` stands for its tag or number."""
    is_whole: Callable[[bytes], bool] = lambda data: data.endswith(_LINE_END)
    """Whether a message has come completely."""
    tag: Callable[[bytes], bytes] = lambda message: message.split(b" ")[0]


_WORDS: Final[Mapping[StartTls, _Words]] = MappingProxyType(
    {
        StartTls.SMTP: _Words(
            b"220 lab ESMTP\r\n", (b"250-lab\r\n250 STARTTLS\r\n", b"220 go ahead\r\n")
        ),
        StartTls.IMAP: _Words(
            b"* OK lab\r\n",
            (b"* CAPABILITY IMAP4rev1 STARTTLS\r\n%s OK\r\n", b"%s OK go ahead\r\n"),
        ),
        StartTls.LDAP: _Words(  # an ExtendedResponse of success (RFC 4511 section 4.12)
            b"",
            (bytes.fromhex("300c0201") + b"%s" + bytes.fromhex("78070a010004000400"),),
            lambda data: len(data) > 5 and len(data) == 2 + data[1],
            lambda message: message[4:5],
        ),
        StartTls.POSTGRES: _Words(b"", (b"S",), lambda data: len(data) == 8),
    }
)
SPOKEN: Final = frozenset(_WORDS)
"""The protocols that a node can speak."""


async def speak(connection: ServerSession, protocol: StartTls) -> bool:
    """Speak up to the go-ahead; False when the client has left before."""
    words = _WORDS[protocol]
    await connection.say(words.greeting)
    for answer in words.answers:
        message = b""
        while not words.is_whole(message):
            more = await connection.hear()
            if not more:
                return False
            message += more
        await connection.say(answer.replace(b"%s", words.tag(message)))
    return True
