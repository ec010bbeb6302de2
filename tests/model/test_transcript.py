from __future__ import annotations

from dataclasses import replace

import pytest

from stress.model.plan import Address
from stress.model.record import Record
from stress.model.transcript import Clock, EvidenceRole, Flight, Parting, Transcript, preamble_bytes

RECORD = Record(
    7, 1, 2, 0, None, 40_001, 0, "ok", 5, bytes(32), 0x0304, 0x1301, 29, "h2", False,
    10, 20, 30, 40, 5, 4096, 0, 1, None,
)  # fmt: skip
GOOD = Transcript(
    RECORD,
    Address("192.0.2.1", 443),
    "192.0.2.9",
    1_000,
    (
        Flight(sent=True, at_ns=2_000, clock=Clock.USER, data=b"hello"),
        Flight(sent=False, at_ns=3_000, clock=Clock.KERNEL, data=b"world!"),
    ),
    (Parting(sent=True, at_ns=4_000, reset=False),),
)


def test_the_bytes_of_all_flights_are_counted() -> None:
    assert GOOD.bytes_kept == 11


@pytest.mark.parametrize(
    ("outcome", "role"),
    [
        ("ok", EvidenceRole.CONTROL),
        ("incomplete-chain", EvidenceRole.FAILURE),
        ("alert-40", EvidenceRole.FAILURE),
        ("cancelled", EvidenceRole.CONTROL),
    ],
)
def test_only_what_the_target_did_is_a_failure(outcome: str, role: EvidenceRole) -> None:
    assert replace(GOOD, record=RECORD._replace(outcome=outcome)).role is role


@pytest.mark.parametrize(
    "wrong",
    [
        {"local_ip": "2001:db8::9"},
        {"local_ip": "nobody"},
        {"address": Address("example.com", 443)},
        {"address": Address("192.0.2.1", 70_000)},
        {"record": RECORD._replace(local_port=-1)},
        {"record": RECORD._replace(outcome="gone")},
        {"dialled_ns": -1},
        {"flights": (Flight(sent=True, at_ns=1 << 63, clock=Clock.USER, data=b""),)},
        {"partings": (Parting(sent=True, at_ns=-1, reset=True),)},
    ],
)
def test_what_cannot_be_written_as_packets_is_no_transcript(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        replace(GOOD, **wrong)  # type: ignore[arg-type]  # each case has one field


@pytest.mark.parametrize(
    ("opening", "size"),
    [
        (b"\x16\x03\x01\x02\x00", 0),
        (b"", 0),
        (b"PROXY TCP4 192.0.2.9 192.0.2.1 40001 443\r\n\x16\x03\x01", 42),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12) + b"\x16\x03", 28),
        (b"\r\n\r\n\0\r\nQUIT\n", 0),
    ],
)
def test_a_proxy_header_is_told_from_tls(opening: bytes, size: int) -> None:
    assert preamble_bytes(opening) == size
