"""One failing connection beside its control, flight by flight, as text."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime
from itertools import zip_longest

from stress.evidence.tls_decode import decode_flights
from stress.handshake.names import cipher_name, group_name, version_name
from stress.model.outcome import Stage
from stress.model.transcript import Clock, Transcript
from stress.text.escape import printable

COLUMN = 48
"""Characters of one connection's column."""
_BILLION = 1_000_000_000


def timeline(failing: Transcript, control: Transcript | None) -> str:
    """Both connections, each from its own connect() on; times in microseconds."""
    left = [["FAILING"], _facts(failing), [""], *_events(failing)]
    if control is None:
        right = [["GOOD, its control"], ["none was kept"]]
    else:
        right = [["GOOD, its control"], _facts(control), [""], *_events(control)]
    lines = []
    nothing: list[str] = []
    for one, other in zip_longest(left, right, fillvalue=nothing):
        for left_line, right_line in zip_longest(one, other, fillvalue=""):
            lines.append(f"{left_line:<{COLUMN}}  {right_line}".rstrip())
    return "\n".join([*lines, ""])


def _facts(transcript: Transcript) -> list[str]:
    record = transcript.record
    begun = datetime.fromtimestamp(transcript.dialled_ns // _BILLION, UTC)
    agreed = [
        version_name(record.tls_version) if record.tls_version is not None else "",
        cipher_name(record.cipher) if record.cipher is not None else "",
        group_name(record.key_group) if record.key_group is not None else "",
        f"ALPN {printable(record.alpn)}" if record.alpn else "",
        "resumed" if record.resumed else "",
    ]
    known = record.stage in set(Stage)  # a foreign file may hold any number
    lines = [
        f"attempt {record.id}: {record.outcome}",
        f"reached {Stage(record.stage).label if known else f'stage {record.stage}'}",
        f"{transcript.local_ip} port {record.local_port}",
        f"to {transcript.address}",
        f"{begun:%Y-%m-%d %H:%M:%S}.{transcript.dialled_ns % _BILLION:09d} UTC",
        " ".join(filter(None, agreed)) or "nothing was negotiated",
        f"chain {record.chain.hex()[:12]}" if record.chain else "no chain",
        *([f"TLS library: {printable(record.detail)}"] if record.detail else []),
    ]
    return [part for line in lines for part in _wrapped(line, "")]


def _events(transcript: Transcript) -> list[list[str]]:
    """A paragraph for each event; both columns are aligned by them."""
    record = transcript.record
    if record.connect_ns is None:
        return [[f"{_since(record.total_ns)}  never connected"]]
    events = [[f"{_since(record.connect_ns)}  connected"]]
    for flight, messages in zip(transcript.flights, decode_flights(transcript), strict=True):
        arrow = "-> sent" if flight.sent else "<- read"
        stamp = " (kernel)" if flight.clock is Clock.KERNEL else ""
        since = _since(flight.at_ns - transcript.dialled_ns)
        events.append([f"{since}  {arrow} {len(flight.data):,} bytes{stamp}"])
        events[-1] += [part for message in messages for part in _wrapped(message, " " * 16)]
    if transcript.cut:
        events.append([f"{'':14}  … more was read than was kept"])
    for parting in transcript.partings:
        who, how = "we" if parting.sent else "the server", "RST" if parting.reset else "FIN"
        since = _since(parting.at_ns - transcript.dialled_ns)
        events.append([f"{since}  {who} sent {how}"])
    return events


def _since(nanoseconds: int) -> str:
    return f"{nanoseconds / 1000:+11,.1f} µs"


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, COLUMN, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )
