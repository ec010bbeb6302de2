"""Decodes a transcript: what happened when, with the records and handshake messages by name.

What is true and what is tricky:

* Records and messages do not follow flights. A message is listed in the flight in which it ends.
* Up to TLS 1.2 everything after ChangeCipherSpec is encrypted; in TLS 1.3 all but the hellos is,
  inside records that claim to be application data. With the secrets of the handshake they are
  decrypted (`stress.handshake.keylog`), up to Finished: application secrets are never kept.
* Nothing here raises for what was on the wire: bytes that are not TLS are listed as such.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from types import MappingProxyType
from typing import Final

from stress.clients.capture import HELLO_START
from stress.codes.catalog import alert_name
from stress.codes.names import message_name
from stress.handshake.keylog import decrypt, secret_of
from stress.model.outcome import Stage
from stress.model.record import Record
from stress.model.transcript import Clock, Transcript, preamble_bytes
from stress.text.escape import printable

_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE, _APPLICATION_DATA = 20, 21, 22, 23
_SERVER_HELLO: Final = 2
_TLS_1_3: Final = 0x0304
# SHA-256 of "HelloRetryRequest" (RFC 8446 section 4.1.3).
_RETRY_RANDOM: Final = bytes.fromhex(
    "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"
)
_QUOTED: Final = 40
_LINE: Final = 200
_LEVELS: Final[Mapping[int, str]] = MappingProxyType({1: "warning", 2: "fatal"})


@dataclass(frozen=True, slots=True)
class ConnectionEvent:
    """Something that happened in one connection."""

    since_us: float | None
    """Microseconds from its connect(); None: no moment of its own."""
    title: str
    lines: tuple[str, ...] = ()
    """The messages of a flight."""
    odd: Collection[str] = ()
    """Lines that the connection beside it does not have, where it was compared."""


def events(transcript: Transcript) -> Iterator[ConnectionEvent]:
    """What happened, in its order."""
    record, begun_ns = transcript.record, transcript.dialled_ns
    if record.connect_ns is None:
        yield ConnectionEvent(record.total_ns / 1000, "never connected")
        return
    yield ConnectionEvent(record.connect_ns / 1000, "connected")
    for flight, messages in zip(transcript.flights, decode_flights(transcript), strict=True):
        arrow = "→ sent" if flight.sent else "← read"
        stamp = " (kernel)" if flight.clock is Clock.KERNEL else ""
        title = f"{arrow} {len(flight.data):,} bytes{stamp}"
        yield ConnectionEvent((flight.at_ns - begun_ns) / 1000, title, tuple(messages))
    if transcript.cut:
        yield ConnectionEvent(None, "… more was read than was kept")
    for parting in transcript.partings:
        who, how = "we" if parting.sent else "the server", "RST" if parting.reset else "FIN"
        yield ConnectionEvent((parting.at_ns - begun_ns) / 1000, f"{who} sent {how}")


def stage_words(record: Record) -> str:
    """How far a connection came; a foreign file may hold any number."""
    if record.stage == Stage.FINISHED:
        return "handshake completed"
    known = record.stage in set(Stage)
    return f"reached {Stage(record.stage).label if known else f'stage {record.stage}'}"


def decode_flights(transcript: Transcript) -> list[list[str]]:
    """For each flight, in order, what ended in it."""
    decoded: list[list[str]] = [[] for _ in transcript.flights]
    for sent in (True, False):
        for place, message in _Direction(transcript, sent=sent).messages():
            decoded[place].append(message)
    for place, flight in enumerate(transcript.flights):
        decoded[place] = decoded[place] or [f"{len(flight.data):,} bytes of a longer message"]
    return decoded


class _Direction:
    """One side's bytes, read from their beginning."""

    def __init__(self, transcript: Transcript, *, sent: bool) -> None:
        self.transcript = transcript
        self.sent = sent
        flights = enumerate(transcript.flights)
        self.flights = [place for place, each in flights if each.sent is sent]
        parts = [transcript.flights[place].data for place in self.flights]
        self.data = b"".join(parts)
        self.ends = list(accumulate(map(len, parts)))
        """Where each flight ends."""
        self.pending = bytearray()
        """Handshake messages that have not ended yet."""
        self.encrypted = False

    def messages(self) -> Iterator[tuple[int, str]]:
        """Flight and description."""
        data = self.data
        position = preamble_bytes(data) if self.sent else 0
        if position:
            yield self._flight(position), f"PROXY header, {position} bytes"
        before_tls = self._before_tls()
        for line in data[position:before_tls].splitlines(keepends=True):
            position += len(line)
            shown = printable(line[:_LINE].decode("latin-1").rstrip("\r\n"))
            yield self._flight(position), f"in clear text: {shown}"

        record = self.transcript.record
        label = f"{'CLIENT' if self.sent else 'SERVER'}_HANDSHAKE_TRAFFIC_SECRET"
        try:
            secret = secret_of(self.transcript.secrets, label)
        except ValueError:  # not hexadecimal: the file may be damaged
            secret = None
        decrypted: Iterator[tuple[int, bytes]] = iter(())
        if secret is not None and record.cipher is not None and record.tls_version == _TLS_1_3:
            decrypted = iter(decrypt(data[position:], record.cipher, secret))

        while len(data) - position >= 5:
            kind, size = data[position], int.from_bytes(data[position + 3 : position + 5])
            if data[position + 1] != 3 or kind not in range(20, 24):
                break
            end = position + 5 + size
            if end > len(data):
                yield len(self.transcript.flights) - 1, "a record that was cut off"
                return
            for message in self._record(kind, data[position + 5 : end], decrypted):
                yield self._flight(end), message
            position = end
        rest = data[position:]
        if rest:
            shown = printable(rest[:_QUOTED].decode("latin-1"))
            yield self._flight(len(data)), f"{len(rest):,} bytes that are not TLS: {shown}"

    def _before_tls(self) -> int:
        """Bytes spoken before TLS (proxy, STARTTLS): up to the ClientHello, or to its go-ahead."""
        transcript = self.transcript
        record = transcript.record
        spoken = record.starttls_ns is not None or record.proxy_ns is not None
        if not spoken and record.stage != Stage.STARTTLS:
            return 0
        passed = 0
        for flight in transcript.flights:
            hello = HELLO_START.search(flight.data) if flight.sent else None
            if hello:
                return passed + hello.start() if self.sent else passed
            passed += len(flight.data) if flight.sent is self.sent else 0
        return passed

    def _record(
        self, kind: int, payload: bytes, decrypted: Iterator[tuple[int, bytes]]
    ) -> Iterator[str]:
        if kind == _APPLICATION_DATA:
            inner = next(decrypted, None)
            if inner is None:
                yield f"encrypted record, {len(payload):,} bytes"
                return
            kind, payload = inner
        elif self.encrypted:
            what = {_ALERT: "alert", _HANDSHAKE: "handshake message"}.get(kind, "record")
            yield f"encrypted {what}, {len(payload):,} bytes"
            return
        if kind == _HANDSHAKE:
            pending = self.pending
            pending += payload
            while len(pending) >= 4 and len(pending) >= (size := 4 + int.from_bytes(pending[1:4])):
                name = message_name(pending[0])
                if pending[0] == _SERVER_HELLO and pending[6:38] == _RETRY_RANDOM:
                    name = "HelloRetryRequest"
                yield f"{name}, {size:,} bytes"
                del pending[:size]
        elif kind == _ALERT and len(payload) == 2:
            level = _LEVELS.get(payload[0], str(payload[0]))
            yield f"Alert {payload[1]} {alert_name(payload[1])} ({level})"
        elif kind == _CHANGE_CIPHER_SPEC:
            self.encrypted = self.transcript.record.tls_version != _TLS_1_3
            yield "ChangeCipherSpec"
        else:
            yield f"record of type {kind}, {len(payload):,} bytes"

    def _flight(self, end: int) -> int:
        """The flight that contains the byte before `end`."""
        return self.flights[min(bisect_left(self.ends, end), len(self.flights) - 1)]
