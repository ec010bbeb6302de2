"""One failing connection beside its control, flight by flight, as text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import zip_longest

from stress.evidence.tls_decode import conversation
from stress.handshake.names import cipher_name, group_name, version_name
from stress.model.outcome import Stage
from stress.model.transcript import Clock, Transcript
from stress.text.escape import printable

COLUMN = 48
"""Characters of one connection's column."""
_BILLION = 1_000_000_000


def timeline(failing: Transcript, control: Transcript | None) -> str:
    """Both connections, each from its own connect() on; times in microseconds."""
    left, right = _column("FAILING", failing), _column("GOOD, its control", control)
    lines = []
    nothing: list[str] = []
    for one, other in zip_longest(left, right, fillvalue=nothing):
        for left_line, right_line in zip_longest(one, other, fillvalue=""):
            lines.append(f"{left_line:<{COLUMN}}  {right_line}".rstrip())
    return "\n".join([*lines, ""])


def _column(title: str, transcript: Transcript | None) -> list[list[str]]:
    """Paragraphs, one for each event; the two columns are aligned by them."""
    if transcript is None:
        return [[title], ["none was kept"]]
    return [[title], _facts(transcript), [""], *_events(transcript)]


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
    lines = [
        f"attempt {record.id}: {record.outcome}",
        f"came as far as {_stage(record.stage)}",
        f"{transcript.local_ip} port {record.local_port}",
        f"to {transcript.address}",
        f"{begun:%Y-%m-%d %H:%M:%S}.{transcript.dialled_ns % _BILLION:09d} UTC",
        " ".join(filter(None, agreed)) or "nothing was agreed",
        f"chain {record.chain.hex()[:12]}" if record.chain else "no chain",
        *([f"the library says: {printable(record.detail)}"] if record.detail else []),
    ]
    return [part for line in lines for part in _wrapped(line, "")]


def _events(transcript: Transcript) -> Iterator[list[str]]:
    record = transcript.record
    if record.connect_ns is None:
        yield [f"{_since(record.total_ns)}  never connected"]
        return
    yield [f"{_since(record.connect_ns)}  connected"]
    for flight, words in zip(transcript.flights, conversation(transcript), strict=True):
        arrow = "-> sent" if flight.sent else "<- read"
        stamp = " (kernel)" if flight.clock is Clock.KERNEL else ""
        moment = _since(flight.at_ns - transcript.dialled_ns)
        lines = [f"{moment}  {arrow} {len(flight.data):,} bytes{stamp}"]
        yield lines + [part for word in words for part in _wrapped(word, " " * 16)]
    if transcript.cut:
        yield [f"{'':14}  … more was read than is kept"]
    for parting in transcript.partings:
        who, how = "we" if parting.sent else "the server", "RST" if parting.reset else "FIN"
        yield [f"{_since(parting.at_ns - transcript.dialled_ns)}  {who} sent {how}"]


def _since(nanoseconds: int) -> str:
    return f"{nanoseconds / 1000:+11,.1f} µs"


def _stage(number: int) -> str:
    try:
        return Stage(number).label
    except ValueError:  # of a file from elsewhere
        return f"stage {number}"


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, COLUMN, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )
