from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.evidence.packets import LINKTYPE_RAW, RawPacket, checksum, packets, write
from stress.model.plan import Address
from stress.model.transcript import Clock, Flight, Parting, Transcript
from tests.evidence.conftest import BEGUN_NS, RECORD, transcript
from tests.evidence.packets import read_capture, read_segment, streams

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
V4 = (Address("198.51.100.7", 443), "198.51.100.99")
V6 = (Address("2001:db8::7", 443), "2001:db8::99")


def flight(data: bytes, *, sent: bool, at_ns: int = BEGUN_NS + 100_000) -> Flight:
    return Flight(sent=sent, at_ns=at_ns, clock=Clock.USER, data=data)


def flags(one: Transcript) -> list[int]:
    return [read_segment(packet.data).flags for packet in packets(one)]


@given(
    ends=st.sampled_from([V4, V6]),
    said=st.lists(st.tuples(st.booleans(), st.binary(max_size=4_000)), max_size=6),
    times=st.lists(st.integers(0, (1 << 63) - 1), min_size=6, max_size=6),
    number=st.integers(0, 1 << 40),
)
def test_both_streams_come_out_as_they_went_in(
    ends: tuple[Address, str], said: list[tuple[bool, bytes]], times: list[int], number: int
) -> None:
    address, local = ends
    flights = tuple(
        flight(data, sent=sent, at_ns=at_ns)
        for (sent, data), at_ns in zip(said, sorted(times), strict=False)
    )
    one = Transcript(RECORD._replace(id=number), address, local, BEGUN_NS, flights)

    found = packets(one)
    sent = streams(found)

    for is_ours, place in ((True, (local, 40_001)), (False, (address.ip, address.port))):
        assert sent[place] == b"".join(each.data for each in flights if each.sent is is_ours)
    assert [packet.at_ns for packet in found] == sorted(packet.at_ns for packet in found)


@pytest.mark.parametrize(("ends", "most"), [(V4, 1460), (V6, 1440)])
def test_what_is_long_goes_in_segments(ends: tuple[Address, str], most: int) -> None:
    one = Transcript(RECORD, *ends, BEGUN_NS, (flight(bytes(3_000), sent=True),))

    sizes = [len(read_segment(packet.data).data) for packet in packets(one)]

    assert sizes == [0, 0, 0, most, most, 3_000 - 2 * most]


def test_the_three_way_handshake_takes_the_time_of_connect() -> None:
    found = packets(transcript())

    assert flags(transcript()) == [SYN, SYN | ACK, ACK]
    assert [packet.at_ns - BEGUN_NS for packet in found] == [0, 50_000, 50_000]


def test_what_we_read_is_acknowledged_unless_we_answer() -> None:
    one = replace(
        transcript(),
        flights=(flight(b"a", sent=True), flight(b"b", sent=False), flight(b"c", sent=True)),
    )
    last = replace(one, flights=one.flights[:2])

    assert flags(one)[3:] == [PSH | ACK] * 3
    assert flags(last)[3:] == [PSH | ACK, PSH | ACK, ACK]


@pytest.mark.parametrize(
    ("partings", "ending"),
    [
        ([(True, False)], [FIN | ACK]),
        ([(True, True)], [RST | ACK]),
        ([(False, False), (True, False)], [FIN | ACK, ACK, FIN | ACK]),
        ([(False, False), (True, True)], [FIN | ACK, ACK, RST | ACK]),
        ([(False, True), (True, True)], [RST | ACK]),
    ],
)
def test_the_end_is_as_it_was_met(partings: list[tuple[bool, bool]], ending: list[int]) -> None:
    at_ns = BEGUN_NS + 900_000
    one = replace(
        transcript(),
        partings=tuple(Parting(sent=sent, at_ns=at_ns, reset=reset) for sent, reset in partings),
    )

    assert flags(one)[3:] == ending
    assert streams(packets(one))


@pytest.mark.parametrize(
    ("outcome", "ending"), [("refused", [RST | ACK]), ("timeout-connect", []), ("unreachable", [])]
)
def test_a_connection_that_never_was_is_a_syn(outcome: str, ending: list[int]) -> None:
    one = replace(
        transcript(outcome, connect_ns=None),
        partings=(Parting(sent=True, at_ns=BEGUN_NS, reset=True),),
    )

    assert flags(one) == [SYN, *ending]


def test_without_a_local_port_nothing_was_sent() -> None:
    assert packets(transcript(local_port=None)) == []


def test_the_checksum_is_that_of_the_rfc() -> None:
    """RFC 1071, section 3: the example sums up to 0xddf2."""
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2
    assert checksum(b"\xff") == 0x00FF


PACKETS = st.lists(st.builds(RawPacket, st.integers(0, (1 << 64) - 1), st.binary(max_size=99)))
LINES = st.lists(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40))


@given(PACKETS, LINES, st.text())
def test_what_is_written_is_read_back(
    made: list[RawPacket], secrets: list[str], comment: str
) -> None:
    found = read_capture(write(made, secrets, comment=comment))

    assert found.packets == made
    assert found.secrets.decode() == "".join(f"{line}\n" for line in secrets)
    assert (found.link_type, found.resolution) == (LINKTYPE_RAW, 9)
    assert found.options == {4: b"tls-stress", 1: comment.encode()}


def test_secrets_stand_before_the_packets_that_need_them() -> None:
    found = read_capture(write([RawPacket(1, b"x")], ["A b c"], comment=""))

    assert found.kinds == [0x0A0D0D0A, 1, 10, 6]


def test_without_secrets_there_is_no_block_for_them() -> None:
    assert read_capture(write([], [], comment="")).kinds == [0x0A0D0D0A, 1]


def test_a_time_out_of_range_is_written_at_the_edge() -> None:
    late, early = RawPacket(1 << 65, b""), RawPacket(-5, b"")

    found = read_capture(write([late, early], [], comment=""))

    assert [packet.at_ns for packet in found.packets] == [(1 << 64) - 1, 0]


def test_a_text_longer_than_an_option_is_cut() -> None:
    found = read_capture(write([], [], comment="x" * 70_000))

    assert len(found.options[1]) == 0xFFFC
