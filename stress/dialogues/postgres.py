"""PostgreSQL: SSLRequest (its documentation, "Message Formats" and "SSL Session Encryption")."""

from __future__ import annotations

from typing import Final

from stress.dialogues.dialogue import MOST_BYTES, Go, Talk, not_offered, refused, unexpected

_REQUEST: Final = bytes.fromhex("0000000804d2162f")
"""Its length, and 80877103."""


def postgres(talk: Talk) -> Go:
    """One request; one byte says yes or no, else an error message follows it."""
    answer = yield from talk.exactly(1, _REQUEST)
    if answer == b"N":
        raise not_offered(answer)
    if answer == b"E":
        size = int.from_bytes((yield from talk.exactly(4))) - 4
        if not 0 <= size <= MOST_BYTES:
            raise unexpected("an answer to SSLRequest", answer + talk.data)
        raise refused(_words((yield from talk.exactly(size))))
    if answer != b"S":
        raise unexpected("an answer to SSLRequest", answer + talk.data)
    return b""


def _words(fields: bytes) -> bytes:
    """Return the message (field M) of an ErrorResponse; old ones are only that."""
    parts = fields.split(b"\0")
    return next((part[1:] for part in parts if part[:1] == b"M"), parts[0])
