"""What the server's bytes say in the clear: records, ServerHello, TLS 1.2 Certificate, alerts.

The TLS library reports that a handshake failed, rarely what was on the wire. So this module reads
the same bytes that the library is given.

* Up to TLS 1.2 everything before ChangeCipherSpec is readable; in TLS 1.3 everything after
  ServerHello is encrypted. From that point on the reader is `done` and costs nothing.
* A record may be cut anywhere, a message may span records, a record may hold several messages.
* A HelloRetryRequest is a ServerHello with a fixed random (RFC 8446 section 4.1.3). It does not
  count as a ServerHello; a ChangeCipherSpec after it means nothing.
* The reader judges only whether the answer is TLS at all. Malformed input makes it stop reading;
  the library names the fault.

Invariants: `feed` never raises and keeps at most one record and one message of `_LARGEST` octets;
later bytes never change what it has reported, but more alerts may be added.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

_CHANGE_CIPHER_SPEC: Final = 20
_ALERT: Final = 21
_HANDSHAKE: Final = 22
_APPLICATION_DATA: Final = 23

_SERVER_HELLO: Final = 2
_CERTIFICATE: Final = 11
_SERVER_KEY_EXCHANGE: Final = 12
_CERTIFICATE_REQUEST: Final = 13

_EXTENSION_KEY_SHARE: Final = 51
_EXTENSION_SUPPORTED_VERSIONS: Final = 43

_MAJOR_VERSION: Final = 3
_NAMED_CURVE: Final = 3
_TLS_1_3: Final = 0x0304
_LARGEST: Final = 1 << 20
_QUOTED: Final = 64
_TWO_NUMBERS: Final = struct.Struct(">HH")

# SHA-256 of "HelloRetryRequest" (RFC 8446 section 4.1.3).
_RETRY_RANDOM: Final = bytes.fromhex(
    "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"
)


@dataclass(slots=True, eq=False)
class Wire:
    """Reads the server's bytes of one connection."""

    done: bool = False
    """Nothing more is readable in the clear."""
    foreign: bytes | None = None
    """The first octets of an answer that is not TLS, else None."""
    server_hello: bool = False
    """A ServerHello was read (a HelloRetryRequest does not count)."""
    retried: bool = False
    """A HelloRetryRequest was read."""
    version: int | None = None
    """Version the server chose, as wire number."""
    cipher: int | None = None
    """Suite the server chose, as IANA number."""
    key_group: int | None = None
    """Group of the key exchange, as IANA number; None for RSA key exchange."""
    certificates: tuple[bytes, ...] | None = None
    """DER as sent up to TLS 1.2; None in TLS 1.3 or if there was no such message."""
    certificate_requested: bool = False
    """A CertificateRequest was read in the clear (TLS 1.2 and older)."""
    alerts: list[tuple[int, int]] = field(default_factory=list)
    """Plaintext alerts as (level, description)."""
    _buffer: bytearray = field(default_factory=bytearray)
    _messages: bytearray = field(default_factory=bytearray)
    _alert: bytes = b""
    _begun: bool = False

    def feed(self, data: bytes) -> None:
        """Takes the next bytes from the server."""
        if self.done:
            return
        joined = _joined(self._buffer, data)
        if not self._begun:
            if not joined:
                return
            # Content type 20 to 23, major version 3.
            known = _CHANGE_CIPHER_SPEC <= joined[0] <= _APPLICATION_DATA
            if not known or (len(joined) > 1 and joined[1] != _MAJOR_VERSION):
                self.foreign = bytes(joined[:_QUOTED])
                self.done = True
                return
            self._begun = len(joined) > 1
        position, end, done = 0, len(joined), False
        while not done and end - position >= 5:
            after = position + 5 + (joined[position + 3] << 8 | joined[position + 4])
            if end < after:
                break
            done = self._read_record(joined[position], bytes(joined[position + 5 : after]))
            position = after
        _keep(self._buffer, joined, end if done else position)

    def _read_record(self, kind: int, payload: bytes) -> bool:
        """Reads one record; returns whether the reader is done."""
        if kind == _HANDSHAKE:
            self._read_messages(payload)
        elif kind == _ALERT:
            octets = self._alert + payload
            self.alerts += zip(octets[::2], octets[1::2], strict=False)
            self._alert = octets[len(octets) & ~1 :]
        elif kind == _CHANGE_CIPHER_SPEC:
            self.done = self.server_hello
        else:
            self.done = True
        return self.done

    def _read_messages(self, payload: bytes) -> None:
        joined = _joined(self._messages, payload)
        position, end = 0, len(joined)
        while end - position >= 4:
            after = position + 4 + int.from_bytes(joined[position + 1 : position + 4])
            if end < after:
                self.done = after - position > _LARGEST
                break
            kind, body = joined[position], bytes(joined[position + 4 : after])
            if kind == _SERVER_HELLO:
                self._read_server_hello(body)
            elif kind == _CERTIFICATE:
                self.certificates = _read_certificates(body)
            elif kind == _SERVER_KEY_EXCHANGE:
                # RFC 8422 section 5.4; finite-field exchanges have no named group in TLS 1.2.
                if len(body) >= 3 and body[0] == _NAMED_CURVE:
                    self.key_group = body[1] << 8 | body[2]
            elif kind == _CERTIFICATE_REQUEST:
                self.certificate_requested = True
            position = after
        _keep(self._messages, joined, position)

    def _read_server_hello(self, body: bytes) -> None:
        """Reads RFC 8446 section 4.1.3; a body that ends too early stops the reader."""
        end = len(body)
        if end < 38 or end < 38 + body[34]:
            self.done = True
            return
        if body[2:34] == _RETRY_RANDOM:
            self.retried = True
            return
        # Version and group are in the extensions, as far as those are complete.
        after_session = 35 + body[34]
        version, group = body[0] << 8 | body[1], None
        position = after_session + 5
        while end - position >= 4:
            number, size = _TWO_NUMBERS.unpack_from(body, position)
            position += 4 + size
            if position > end:
                break
            if number == _EXTENSION_SUPPORTED_VERSIONS and size == 2:
                version = body[position - 2] << 8 | body[position - 1]
            elif number == _EXTENSION_KEY_SHARE and size >= 2:
                group = body[position - size] << 8 | body[position - size + 1]
        self.server_hello = True
        self.version = version
        self.cipher = body[after_session] << 8 | body[after_session + 1]
        self.key_group = group
        self.done = version >= _TLS_1_3


def _joined(kept: bytearray, data: bytes) -> bytes | bytearray:
    """What was kept, followed by the data; if nothing was kept, the data itself, not copied."""
    if not kept:
        return data
    kept += data
    return kept


def _keep(kept: bytearray, joined: bytes | bytearray, position: int) -> None:
    """Keeps the result of `_joined` from a position on."""
    if joined is kept:
        del kept[:position]
    else:
        kept += joined[position:]


def _read_certificates(body: bytes) -> tuple[bytes, ...] | None:
    """Lists the DER of a Certificate message (RFC 5246 section 7.4.2), None if malformed."""
    found = []
    position, end = 3, len(body)
    if end < 3 or int.from_bytes(body[:3]) != end - 3:
        return None
    while position < end:
        start = position + 3
        after = start + int.from_bytes(body[position:start])
        if after > end or start > end:
            return None
        found.append(body[start:after])
        position = after
    return tuple(found)


def plaintext_alert(data: bytes) -> int | None:
    """Description of the last unencrypted alert in these complete records, else None.

    Up to TLS 1.2 an encrypted alert is longer than two octets, and in TLS 1.3 it is inside
    application data, so neither is mistaken for one.
    """
    found = None
    for head, payload in records(data):
        if head[0] == _ALERT and head[3:] == b"\0\2" and len(payload) == 2:
            found = payload[1]
    return found


def records(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Lists (head, payload) of the records in the data; the last payload may be cut off."""
    position = 0
    while len(data) - position >= 5:
        after = position + 5 + int.from_bytes(data[position + 3 : position + 5])
        yield data[position : position + 5], data[position + 5 : after]
        position = after
