"""LDAP: the extended operation StartTLS (RFC 4511 sections 4.12 and 4.14), in BER."""

from __future__ import annotations

from typing import Final

from stress.dialogues.dialogue import MOST_BYTES, Go, Talk, not_offered, refused, unexpected

_NAME: Final = b"1.3.6.1.4.1.1466.20037"
_REQUEST: Final = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x16" + _NAME
"""LDAPMessage 1, an ExtendedRequest with its name."""
_MESSAGE, _EXTENDED_RESPONSE = 0x30, 0x78
_SUCCESS, _PROTOCOL_ERROR = 0, 2


def ldap(talk: Talk) -> Go:
    """One request, one response."""
    head = yield from talk.exactly(2, _REQUEST)
    size = head[1]
    if size & 0x80:  # the length of the length
        head += yield from talk.exactly(min(4, size & 0x7F))
        size = int.from_bytes(head[2:])
    if head[0] != _MESSAGE or size > MOST_BYTES:
        raise unexpected("an LDAP message", head + talk.data)
    body = yield from talk.exactly(size)
    try:
        code, words = _result(body)
    except (IndexError, ValueError):
        raise unexpected("a response to StartTLS", head + body) from None
    said = b"result code %d%s" % (code, b": " + words if words else b"")
    if code == _PROTOCOL_ERROR:  # what a server without TLS answers (section 4.14.2)
        raise not_offered(said)
    if code != _SUCCESS:
        raise refused(said)
    return b""


def _result(body: bytes) -> tuple[int, bytes]:
    """Return the result code and the diagnostic message of an extended response.

    Raises:
        IndexError: it is cut off.
        ValueError: it is another operation.
    """
    _, _, rest = _element(body)  # the number of the message
    tag, response, _ = _element(rest)
    if tag != _EXTENDED_RESPONSE:
        raise ValueError(tag)
    _, code, rest = _element(response)
    _, _, rest = _element(rest)  # matchedDN
    _, words, _ = _element(rest)
    return int.from_bytes(code), words


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """Split off the first element: its tag, its contents, and what follows."""
    size, start = data[1], 2
    if size & 0x80:
        start += size & 0x7F
        size = int.from_bytes(data[2:start])
    if len(data) < start + size:
        raise IndexError(size)
    return data[0], data[start : start + size], data[start + size :]
