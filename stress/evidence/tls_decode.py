"""What was said in each flight of a transcript: records and handshake messages by name.

What is true and what is tricky:

* Records and messages know nothing of flights. A message is told in the flight in which it ends.
* Up to TLS 1.2 everything after ChangeCipherSpec is encrypted; in TLS 1.3 all but the hellos is,
  inside records that claim to be application data. With the secrets of the handshake they are
  opened (`stress.handshake.flight`), up to Finished: application secrets are never kept.
* Nothing here raises for what stood on the wire: what is no TLS is told as such.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from stress.handshake.flight import decrypt
from stress.handshake.keylog import secret_of
from stress.handshake.names import alert_name
from stress.model.transcript import Transcript, preamble_bytes
from stress.text.escape import printable

_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE, _APPLICATION_DATA = 20, 21, 22, 23
_SERVER_HELLO: Final = 2
_TLS_1_3: Final = 0x0304
_MESSAGES: Final[Mapping[int, str]] = MappingProxyType(
    {
        0: "HelloRequest",
        1: "ClientHello",
        2: "ServerHello",
        4: "NewSessionTicket",
        8: "EncryptedExtensions",
        11: "Certificate",
        12: "ServerKeyExchange",
        13: "CertificateRequest",
        14: "ServerHelloDone",
        15: "CertificateVerify",
        16: "ClientKeyExchange",
        20: "Finished",
        22: "CertificateStatus",
        24: "KeyUpdate",
        25: "CompressedCertificate",
    }
)
# SHA-256 of "HelloRetryRequest" (RFC 8446 section 4.1.3).
_RETRY_RANDOM: Final = bytes.fromhex(
    "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"
)
_QUOTED: Final = 40
_LEVELS: Final[Mapping[int, str]] = MappingProxyType({1: "warning", 2: "fatal"})


def conversation(transcript: Transcript) -> list[list[str]]:
    """For each flight, in order, what ended in it."""
    told: list[list[str]] = [[] for _ in transcript.flights]
    for sent in (True, False):
        for place, words in _Direction(transcript, sent=sent).said():
            told[place].append(words)
    for place, flight in enumerate(transcript.flights):
        told[place] = told[place] or [f"{len(flight.data):,} bytes of something longer"]
    return told


@dataclass(slots=True)
class _Direction:
    """One side's bytes, read from their beginning."""

    transcript: Transcript
    sent: bool
    flights: list[int] = field(init=False)
    data: bytes = field(init=False)
    messages: bytearray = field(default_factory=bytearray)
    encrypted: bool = False

    def __post_init__(self) -> None:
        flights = self.transcript.flights
        self.flights = [place for place, each in enumerate(flights) if each.sent is self.sent]
        self.data = b"".join(flights[place].data for place in self.flights)

    def said(self) -> Iterator[tuple[int, str]]:
        """Flight and words."""
        position = preamble_bytes(self.data) if self.sent else 0
        if position:
            yield self._flight(position), f"PROXY header, {position} bytes"
        opened = self._opened(self.data[position:])
        while len(self.data) - position >= 5:
            kind, size = self.data[position], int.from_bytes(self.data[position + 3 : position + 5])
            if self.data[position + 1] != 3 or kind not in range(20, 24):
                break
            end = position + 5 + size
            if end > len(self.data):
                yield len(self.transcript.flights) - 1, "a record that was cut off"
                return
            payload = self.data[position + 5 : end]
            for words in self._record(kind, payload, opened):
                yield self._flight(end), words
            position = end
        rest = self.data[position:]
        if rest:
            shown = printable(rest[:_QUOTED].decode("latin-1"))
            yield self._flight(len(self.data)), f"{len(rest):,} bytes that are no TLS: {shown}"

    def _opened(self, records: bytes) -> Iterator[tuple[int, bytes]]:
        """Content type and payload of the encrypted records, as far as the secrets reach."""
        record = self.transcript.record
        label = f"{'CLIENT' if self.sent else 'SERVER'}_HANDSHAKE_TRAFFIC_SECRET"
        secret = _secret(self.transcript.secrets, label)
        if secret is None or record.cipher is None or record.tls_version != _TLS_1_3:
            return iter(())
        return iter(decrypt(records, record.cipher, secret))

    def _record(
        self, kind: int, payload: bytes, opened: Iterator[tuple[int, bytes]]
    ) -> Iterator[str]:
        if kind == _APPLICATION_DATA:
            inner = next(opened, None)
            if inner is None:
                yield f"encrypted record, {len(payload):,} bytes"
            else:
                yield from self._plain(*inner)
        elif self.encrypted:
            what = {_ALERT: "alert", _HANDSHAKE: "handshake message"}.get(kind, "record")
            yield f"encrypted {what}, {len(payload):,} bytes"
        else:
            yield from self._plain(kind, payload)

    def _plain(self, kind: int, payload: bytes) -> Iterator[str]:
        if kind == _HANDSHAKE:
            self.messages += payload
            yield from self._whole_messages()
        elif kind == _ALERT and len(payload) == 2:
            level = _LEVELS.get(payload[0], str(payload[0]))
            yield f"Alert {payload[1]} {alert_name(payload[1])} ({level})"
        elif kind == _CHANGE_CIPHER_SPEC:
            self.encrypted = self.transcript.record.tls_version != _TLS_1_3
            yield "ChangeCipherSpec"
        else:
            yield f"record of type {kind}, {len(payload):,} bytes"

    def _whole_messages(self) -> Iterator[str]:
        messages = self.messages
        while len(messages) >= 4:
            size = 4 + int.from_bytes(messages[1:4])
            if len(messages) < size:
                return
            yield f"{_name(messages)}, {size:,} bytes"
            del messages[:size]

    def _flight(self, end: int) -> int:
        """The flight in which the byte before `end` lies."""
        for place in self.flights:
            end -= len(self.transcript.flights[place].data)
            if end <= 0:
                return place
        return self.flights[-1]


def _name(message: bytearray) -> str:
    if message[0] == _SERVER_HELLO and message[6:38] == _RETRY_RANDOM:
        return "HelloRetryRequest"
    return _MESSAGES.get(message[0], f"message of type {message[0]}")


def _secret(lines: Sequence[str], label: str) -> bytes | None:
    """The secret, None when there is none or it is no hexadecimal (a file may be damaged)."""
    try:
        return secret_of(lines, label)
    except ValueError:
        return None
