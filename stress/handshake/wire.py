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

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

_CHANGE_CIPHER_SPEC: Final = 20
_ALERT: Final = 21
_HANDSHAKE: Final = 22
APPLICATION_DATA: Final = 23

_SERVER_HELLO: Final = 2
_NEW_SESSION_TICKET: Final = 4
_CERTIFICATE: Final = 11
_SERVER_KEY_EXCHANGE: Final = 12
_CERTIFICATE_REQUEST: Final = 13

_CERTIFICATES: Final = frozenset({_CERTIFICATE, 25})
"""The kinds of message; a compressed one (RFC 8879) is not decoded."""

_EXTENSION_KEY_SHARE: Final = 51
_EXTENSION_SUPPORTED_VERSIONS: Final = 43

_MAJOR_VERSION: Final = 3
_NAMED_CURVE: Final = 3
_TLS_1_3: Final = 0x0304
_LARGEST: Final = 1 << 20
_QUOTED: Final = 64

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
    hello_shape: tuple[int, ...] = ()
    """Of the ServerHello: its version field, its suite, and its extensions in their order."""
    certificates: tuple[bytes, ...] | None = None
    """DER as sent up to TLS 1.2; None in TLS 1.3 or if there was no such message."""
    certificate_requested: bool = False
    """A CertificateRequest was read in the clear (TLS 1.2 and older)."""
    ticket: bytes | None = None
    """The first session ticket of the server; in TLS 1.3 only where the records are decrypted."""
    alerts: list[tuple[int, int]] = field(default_factory=list)
    """Plaintext alerts as (level, description)."""
    decrypted: bool = False
    """It is given the decrypted records of TLS 1.3, by `read_record`."""
    certificate_seen: bool = False
    """A Certificate message began, readable or not."""
    _buffer: bytearray = field(default_factory=bytearray)
    _messages: bytearray = field(default_factory=bytearray)
    _alert: bytes = b""
    _begun: bool = False

    @property
    def last_alert(self) -> int | None:
        """Description of the last alert, None if there was none."""
        return self.alerts[-1][1] if self.alerts else None

    def feed(self, data: bytes) -> None:
        """Takes the next bytes from the server."""
        if self.done or not data:
            return
        octets, position = _joined(self._buffer, data), 0
        if not self._begun:
            # Content type 20 to 23, major version 3.
            known = _CHANGE_CIPHER_SPEC <= octets[0] <= APPLICATION_DATA
            if not known or (len(octets) > 1 and octets[1] != _MAJOR_VERSION):
                self.foreign = bytes(octets[:_QUOTED])
                self.done = True
                return
            self._begun = len(octets) > 1
        end = len(octets)
        while end - position >= 5:
            after = position + 5 + (octets[position + 3] << 8 | octets[position + 4])
            if end < after:
                break
            done = self.read_record(octets[position], bytes(octets[position + 5 : after]))
            position = end if done else after
        _keep(self._buffer, octets, position)

    def read_record(self, kind: int, payload: bytes) -> bool:
        """Reads one record; returns whether the reader is done."""
        if kind == _HANDSHAKE:
            self._read_messages(payload)
        elif kind == _ALERT:
            octets = self._alert + payload
            self.alerts += zip(octets[::2], octets[1::2], strict=False)
            self._alert = octets[len(octets) & ~1 :]
        else:
            self.done = kind != _CHANGE_CIPHER_SPEC or self.server_hello
        return self.done

    def _read_messages(self, payload: bytes) -> None:
        octets, position = _joined(self._messages, payload), 0
        end = len(octets)
        while end - position >= 4:
            after = position + 4 + int.from_bytes(octets[position + 1 : position + 4])
            kind, body = octets[position], bytes(octets[position + 4 : after])
            self.certificate_seen |= kind in _CERTIFICATES
            if end < after:
                self.done = after - position > _LARGEST
                break
            if kind == _SERVER_HELLO:
                self._read_server_hello(body)
            elif kind == _CERTIFICATE:
                self.certificates = _read_certificates(body, newer=self.decrypted)
            elif kind == _SERVER_KEY_EXCHANGE:
                # RFC 8422 section 5.4; finite-field exchanges have no named group in TLS 1.2.
                if len(body) >= 3 and body[0] == _NAMED_CURVE:
                    self.key_group = body[1] << 8 | body[2]
            elif kind == _CERTIFICATE_REQUEST:
                self.certificate_requested = True
            elif kind == _NEW_SESSION_TICKET and self.ticket is None:
                self.ticket = _read_ticket(body, newer=self.decrypted)
            position = after
        _keep(self._messages, octets, position)

    def _read_server_hello(self, body: bytes) -> None:
        """Reads RFC 8446 section 4.1.3; a body that ends too early stops the reader."""
        end = len(body)
        if end < 38 or end < 38 + body[34]:
            self.done = True
            return
        if body[2:34] == _RETRY_RANDOM:
            self.retried = True
            return
        after_session = 35 + body[34]
        self.server_hello = True
        self.version = body[0] << 8 | body[1]
        self.cipher = body[after_session] << 8 | body[after_session + 1]
        # Version and group are in the extensions, as far as those are complete.
        start, shape = after_session + 9, [self.version, self.cipher]
        while start <= end:
            after = start + (body[start - 2] << 8 | body[start - 1])
            if after > end:
                break
            number = body[start - 4] << 8 | body[start - 3]
            shape.append(number)
            if number == _EXTENSION_SUPPORTED_VERSIONS and after - start == 2:
                self.version = body[start] << 8 | body[start + 1]
            elif number == _EXTENSION_KEY_SHARE and after - start >= 2:
                self.key_group = body[start] << 8 | body[start + 1]
            start = after + 4
        self.hello_shape = tuple(shape)
        self.done = self.version >= _TLS_1_3


def _joined(kept: bytearray, new: bytes) -> bytes | bytearray:
    """What was kept and the new octets behind it; mostly nothing was, and nothing is copied."""
    if not kept:
        return new
    kept += new
    return kept


def _keep(kept: bytearray, octets: bytes | bytearray, position: int) -> None:
    """Keeps what stands from this position on."""
    if octets is kept:
        del kept[:position]
    elif position < len(octets):
        kept += octets[position:]


def _read_certificates(body: bytes, *, newer: bool) -> tuple[bytes, ...] | None:
    """Lists the DER of a Certificate message, None if malformed.

    Args:
        body: of the message (RFC 5246 section 7.4.2).
        newer: as in TLS 1.3: behind a context, and each with extensions (RFC 8446 section 4.4.2).
    """
    position, end = 4 + body[0] if newer and body else 3, len(body)
    if position > end or int.from_bytes(body[position - 3 : position]) != end - position:
        return None
    found = []
    while position < end:
        start = position + 3
        after = start + int.from_bytes(body[position:start])
        found.append(body[start:after])
        position = after + 2 + int.from_bytes(body[after : after + 2]) if newer else after
    return tuple(found) if position == end else None


def _read_ticket(body: bytes, *, newer: bool) -> bytes | None:
    """The ticket of a NewSessionTicket message, None if malformed or empty.

    Args:
        body: of the message (RFC 5077 section 3.3).
        newer: as in TLS 1.3: behind an age and a nonce (RFC 8446 section 4.6.1).
    """
    start = 11 + body[8] if newer and len(body) > 8 else 6
    size = int.from_bytes(body[start - 2 : start])
    ticket = body[start : start + size]
    return ticket if ticket and len(ticket) == size else None


def plaintext_alert(data: bytes) -> int | None:
    """Description of the last unencrypted alert in these complete records, else None.

    Up to TLS 1.2 an encrypted alert is longer than two octets, and in TLS 1.3 it is inside
    application data, so neither is mistaken for one.
    """
    alerts = (payload for head, payload in items(data, 5, 2) if head[0] == _ALERT)
    return next((payload[1] for payload in reversed([*alerts]) if len(payload) == 2), None)


def items(data: bytes, head: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Lists (head, body) of what stands one behind the other; the last body may be cut off.

    Args:
        data: records, messages, extensions, names of protocols.
        head: octets before each body.
        size: how many of them, the last ones, are the length of the body.
    """
    position = 0
    while len(data) - position >= head:
        start = position + head
        after = start + int.from_bytes(data[start - size : start])
        yield data[position:start], data[start:after]
        position = after


def extensions(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Lists (number, body) of the extensions, or of the key shares, that are complete."""
    for head, body in items(data, 4, 2):
        if len(body) == int.from_bytes(head[2:]):
            yield int.from_bytes(head[:2]), body
