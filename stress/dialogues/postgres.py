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
        fields = (yield from talk.exactly(size)).split(b"\0")
        # The message is field M; old servers send nothing else.
        raise refused(next((one[1:] for one in fields if one[:1] == b"M"), fields[0]))
    if answer != b"S":
        raise unexpected("an answer to SSLRequest", answer + talk.data)
    return b""
