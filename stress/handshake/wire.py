"""What the server's bytes say in the clear: records, ServerHello, TLS 1.2 Certificate, alerts.

The TLS library tells us that a handshake failed, rarely what was on the wire. So we read along in
the same bytes that the library is given. What is true and what is tricky:

* Up to TLS 1.2 everything before ChangeCipherSpec is readable; in TLS 1.3 all that follows
  ServerHello is encrypted. After that point this reader is `done` and costs nothing.
* A record may be cut anywhere, a message may span records, a record may hold several messages.
* A HelloRetryRequest is a ServerHello with a fixed random (RFC 8446 section 4.1.3). It does not
  count as a ServerHello; a ChangeCipherSpec after it means nothing.
* The reader judges nothing but whether the answer is TLS at all. Malformed input makes it stop
  reading; the library beside it names the fault.

Invariants: `feed` never raises, keeps at most one record and one message of `_LARGEST` octets, and
what it has reported does not change by later bytes, except that more alerts may join.
"""

from __future__ import annotations

import struct
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


class Wire:
    """Reads along in the server's bytes of one connection."""

    __slots__ = (
        "_alert",
        "_begun",
        "_buffer",
        "_messages",
        "alerts",
        "certificate_requested",
        "certificates",
        "cipher",
        "done",
        "foreign",
        "key_group",
        "retried",
        "server_hello",
        "version",
    )

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._messages = bytearray()
        self._alert = b""
        self._begun = False
        self.done = False
        """Nothing more can be learnt in the clear."""
        self.foreign: bytes | None = None
        """The first octets of an answer that is no TLS, else None."""
        self.server_hello = False
        """A ServerHello was read (a HelloRetryRequest is none)."""
        self.retried = False
        """A HelloRetryRequest was read."""
        self.version: int | None = None
        """Version the server chose, as wire number."""
        self.cipher: int | None = None
        """Suite the server chose, as IANA number."""
        self.key_group: int | None = None
        """Group of the key exchange, as IANA number; None for RSA key exchange."""
        self.certificates: tuple[bytes, ...] | None = None
        """DER as sent up to TLS 1.2; None in TLS 1.3 or when no such message was read."""
        self.certificate_requested = False
        """A CertificateRequest was read in the clear (TLS 1.2 and older)."""
        self.alerts: list[tuple[int, int]] = []
        """Plaintext alerts as (level, description)."""

    def feed(self, data: bytes) -> None:
        """Takes the next bytes from the server."""
        if self.done:
            return
        said = _joined(self._buffer, data)
        if not self._begun and not self._looks_like_tls(said):
            return
        position, end = 0, len(said)
        while end - position >= 5:
            after = position + 5 + (said[position + 3] << 8 | said[position + 4])
            if end < after:
                break
            readable = self._record(said[position], bytes(said[position + 5 : after]))
            position = after if readable else end
        _keep(self._buffer, said, position)

    def _looks_like_tls(self, said: bytes | bytearray) -> bool:
        """Judges the first two octets: content type 20 to 23, major version 3."""
        if not said:
            return False
        ours = _CHANGE_CIPHER_SPEC <= said[0] <= _APPLICATION_DATA
        if not ours or (len(said) > 1 and said[1] != _MAJOR_VERSION):
            self.foreign = bytes(said[:_QUOTED])
            self.done = True
            return False
        self._begun = len(said) > 1
        return True

    def _record(self, kind: int, payload: bytes) -> bool:
        """Reads one record; tells whether there is a point in reading the next."""
        if kind == _HANDSHAKE:
            self._handshake(payload)
        elif kind == _ALERT:
            said = self._alert + payload
            self.alerts += zip(said[::2], said[1::2], strict=False)
            self._alert = said[len(said) & ~1 :]
        elif kind == _CHANGE_CIPHER_SPEC:
            self.done = self.server_hello
        else:
            self.done = True
        return not self.done

    def _handshake(self, payload: bytes) -> None:
        said = _joined(self._messages, payload)
        position, end = 0, len(said)
        while end - position >= 4:
            after = position + 4 + int.from_bytes(said[position + 1 : position + 4])
            if end < after:
                self.done = after - position > _LARGEST
                break
            self._message(said[position], bytes(said[position + 4 : after]))
            position = after
        _keep(self._messages, said, position)

    def _message(self, kind: int, body: bytes) -> None:
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

    def _read_server_hello(self, body: bytes) -> None:
        """Reads RFC 8446 section 4.1.3; a body that ends too early stops the reader."""
        if len(body) < 38 or len(body) < 38 + body[34]:
            self.done = True
            return
        after_session = 35 + body[34]
        version, group = _chosen(body, after_session + 5)
        if body[2:34] == _RETRY_RANDOM:
            self.retried = True
            return
        self.server_hello = True
        self.version = version
        self.cipher = body[after_session] << 8 | body[after_session + 1]
        self.key_group = group
        self.done = version >= _TLS_1_3


def _joined(kept: bytearray, data: bytes) -> bytes | bytearray:
    """What was kept, with more behind it; where nothing was, the data itself: nothing is copied."""
    if not kept:
        return data
    kept += data
    return kept


def _keep(kept: bytearray, said: bytes | bytearray, position: int) -> None:
    """Keeps what `_joined` gave, from a position on."""
    if said is kept:
        del kept[:position]
    else:
        kept += said[position:]


def _chosen(body: bytes, position: int) -> tuple[int, int | None]:
    """Version and group that a ServerHello chose, from its extensions as far as they are whole."""
    version, group = body[0] << 8 | body[1], None
    end = len(body)
    while end - position >= 4:
        number, size = _TWO_NUMBERS.unpack_from(body, position)
        position += 4 + size
        if position > end:
            break
        if number == _EXTENSION_SUPPORTED_VERSIONS and size == 2:
            version = body[position - 2] << 8 | body[position - 1]
        elif number == _EXTENSION_KEY_SHARE and size >= 2:
            group = body[position - size] << 8 | body[position - size + 1]
    return version, group


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
    """Description of the last alert that stands unencrypted in these whole records, else None.

    Up to TLS 1.2 an encrypted alert is longer than two octets, in TLS 1.3 it hides in
    application data, so neither is mistaken for one.
    """
    found = None
    position = 0
    while len(data) - position >= 5:
        after = position + 5 + int.from_bytes(data[position + 3 : position + 5])
        if data[position] == _ALERT and after - position == 7 and len(data) >= after:
            found = data[after - 1]
        position = after
    return found
