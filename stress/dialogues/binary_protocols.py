"""Scripts of protocols in binary messages: LDAP, PostgreSQL, MySQL."""

from __future__ import annotations

import struct
from typing import Final

from stress.dialogues.dialogue import MOST_BYTES, Go, Talk, not_offered, refused, unexpected

_LDAP_START_TLS: Final = b"1.3.6.1.4.1.1466.20037"
_LDAP_REQUEST: Final = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x16" + _LDAP_START_TLS
"""LDAPMessage 1, an ExtendedRequest with its name."""
_LDAP_MESSAGE, _LDAP_EXTENDED_RESPONSE = 0x30, 0x78
_LDAP_SUCCESS, _LDAP_PROTOCOL_ERROR = 0, 2
_POSTGRES_REQUEST: Final = bytes.fromhex("0000000804d2162f")
"""Its length, and 80877103."""
_MYSQL_PROTOCOL, _MYSQL_ERROR = 10, 0xFF
_MYSQL_CLIENT_SSL: Final = 0x0800
_MYSQL_CAPABILITIES: Final = 0x0008_AA85
"""Long passwords and protocol 4.1 with plug-ins, as a client that logs in later, and CLIENT_SSL."""
_MYSQL_UTF8MB4: Final = 45
_MYSQL_SSL_REQUEST: Final = struct.pack("<IIB23x", _MYSQL_CAPABILITIES, 1 << 24, _MYSQL_UTF8MB4)


def ldap(talk: Talk) -> Go:
    """The extended operation StartTLS, in BER (RFC 4511 sections 4.12 and 4.14).

    One request, one response.
    """
    head = yield from talk.exactly(2, _LDAP_REQUEST)
    size = head[1]
    if size & 0x80:  # the length of the length
        head += yield from talk.exactly(min(4, size & 0x7F))
        size = int.from_bytes(head[2:])
    if head[0] != _LDAP_MESSAGE or size > MOST_BYTES:
        raise unexpected("an LDAP message", head + talk.data)
    body = yield from talk.exactly(size)
    try:
        code, words = _ldap_result(body)
    except (IndexError, ValueError):
        raise unexpected("a response to StartTLS", head + body) from None
    said = b"result code %d%s" % (code, b": " + words if words else b"")
    if code == _LDAP_PROTOCOL_ERROR:  # what a server without TLS answers (section 4.14.2)
        raise not_offered(said)
    if code != _LDAP_SUCCESS:
        raise refused(said)
    return b""


def _ldap_result(body: bytes) -> tuple[int, bytes]:
    """Return the result code and the diagnostic message of an extended response.

    Raises:
        IndexError: it is cut off.
        ValueError: it is another operation.
    """
    _, _, rest = _ber_element(body)  # the number of the message
    tag, response, _ = _ber_element(rest)
    if tag != _LDAP_EXTENDED_RESPONSE:
        raise ValueError(tag)
    _, code, rest = _ber_element(response)
    _, _, rest = _ber_element(rest)  # matchedDN
    _, words, _ = _ber_element(rest)
    return int.from_bytes(code), words


def _ber_element(data: bytes) -> tuple[int, bytes, bytes]:
    """Split off the first element: its tag, its contents, and what follows."""
    size, start = data[1], 2
    if size & 0x80:
        start += size & 0x7F
        size = int.from_bytes(data[2:start])
    if len(data) < start + size:
        raise IndexError(size)
    return data[0], data[start : start + size], data[start + size :]


def postgres(talk: Talk) -> Go:
    """SSLRequest (PostgreSQL, "Message Formats" and "SSL Session Encryption").

    One request; one byte says yes or no, else an error message follows it.
    """
    answer = yield from talk.exactly(1, _POSTGRES_REQUEST)
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


def mysql(talk: Talk) -> Go:
    """SSLRequest in place of the login (MySQL and MariaDB, "Connection Phase").

    The server greets; our request goes right before the ClientHello.
    """
    head = yield from talk.exactly(4)
    greeting = yield from talk.exactly(int.from_bytes(head[:3], "little"))
    kind = greeting[0] if greeting else None
    if kind == _MYSQL_ERROR:  # a number, and since protocol 4.1 a state of 6 bytes
        words = greeting[9:] if greeting[3:4] == b"#" else greeting[3:]
        raise refused(words)
    version = greeting.find(b"\0", 1)
    # Behind the version: thread, 8 bytes of salt, a filler; then the capabilities.
    capabilities = greeting[version + 14 : version + 16]
    if kind != _MYSQL_PROTOCOL or version < 0 or len(capabilities) < 2:
        raise unexpected("a MySQL greeting", head + greeting + talk.data)
    if not int.from_bytes(capabilities, "little") & _MYSQL_CLIENT_SSL:
        raise not_offered(greeting[1:version])
    return (
        struct.pack("<I", len(_MYSQL_SSL_REQUEST) | (head[3] + 1) % 256 << 24) + _MYSQL_SSL_REQUEST
    )
