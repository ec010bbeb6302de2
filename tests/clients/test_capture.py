"""Files of packets: both formats, both byte orders, and files that break off."""

from __future__ import annotations

import struct
from collections.abc import Callable
from ipaddress import ip_address
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.clients.capture import Packet, is_capture, read_capture, read_segment, streams
from tests.planning.packets import (
    CLIENT_6,
    ETHERNET,
    SERVER,
    SERVER_6,
    SYN,
    block,
    ethernet,
    pcap,
    pcapng,
    spoken,
    tcp,
)

PACKETS = [b"one", b"second", b""]
Write = Callable[..., bytes]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("write", [pcap, pcapng])
def test_packets_are_read_in_either_byte_order(write: Write, order: str) -> None:
    data = write(PACKETS, link=113, order=order)
    capture = read_capture(data)

    assert is_capture(data)
    assert [(each.link, bytes(each.data)) for each in capture.packets] == [
        (113, each) for each in PACKETS
    ]
    assert not capture.cut


@pytest.mark.parametrize("write", [pcap, pcapng])
def test_what_came_before_the_break_is_kept(write: Write) -> None:
    whole = write(PACKETS)
    counts = {len(read_capture(whole[:end]).packets) for end in range(len(whole))}

    assert counts == {0, 1, 2}
    assert read_capture(whole[:-1]).cut


def test_nanosecond_files_are_pcap_too() -> None:
    data = struct.pack("<I", 0xA1B23C4D) + pcap(PACKETS)[4:]

    assert len(read_capture(data).packets) == 3


def test_simple_and_obsolete_packet_blocks_are_read() -> None:
    simple = block(3, struct.pack("<I", 3) + b"one")
    obsolete = block(2, struct.pack("<HHIIII", 0, 0, 0, 0, 3, 3) + b"two")
    unknown = block(0x0BAD, b"whatever")
    capture = read_capture(pcapng([]) + simple + unknown + obsolete)

    assert [bytes(each.data) for each in capture.packets] == [b"one", b"two"]


def test_each_section_has_its_own_interfaces() -> None:
    capture = read_capture(pcapng([b"a"], link=1) + pcapng([b"b"], link=101, order=">"))

    assert [each.link for each in capture.packets] == [1, 101]


def test_a_packet_of_an_unknown_interface_is_left_out() -> None:
    stray = block(6, struct.pack("<IIIII", 7, 0, 0, 1, 1) + b"x")

    assert read_capture(pcapng([]) + stray).packets == ()


def test_other_files_hold_no_packets() -> None:
    assert not is_capture(b"\x16\x03\x01")
    assert read_capture(b"\x16\x03\x01").packets == ()


@pytest.mark.slow
@given(st.binary(max_size=200), st.sampled_from([pcap([]), pcapng([]), pcapng([], order=">")]))
def test_any_bytes_give_a_capture(data: bytes, head: bytes) -> None:
    for each in (data, head + data, head[:4] + data):
        read_capture(each)


TEXT = b"\x16\x03\x01\x00\x20\x01" + bytes(range(64))
OVER_4, OVER_6 = tcp(TEXT, 5), tcp(TEXT, 5, source=CLIENT_6, target=SERVER_6)
TYPE_4, TYPE_6 = b"\x08\x00", b"\x86\xdd"


def packets(frames: list[bytes]) -> list[Packet]:
    return [Packet(1, memoryview(each)) for each in frames]


def pktap(link: int) -> bytes:
    return struct.pack("<III", 16, 1, link) + bytes(4)


@pytest.mark.parametrize(
    ("link", "data"),
    [
        (1, ETHERNET + TYPE_4 + OVER_4),
        (1, ETHERNET + TYPE_6 + OVER_6),
        (1, ETHERNET + b"\x81\x00\x00\x07" + TYPE_4 + OVER_4),
        (1, ETHERNET + b"\x88\xa8\x00\x07\x81\x00\x00\x08" + TYPE_6 + OVER_6),
        (101, OVER_4),
        (12, OVER_6),
        (228, OVER_4),
        (229, OVER_6),
        (0, b"\x02\x00\x00\x00" + OVER_4),
        (108, b"\x00\x00\x00\x1e" + OVER_6),
        (113, bytes(14) + TYPE_4 + OVER_4),
        (276, TYPE_6 + bytes(18) + OVER_6),
        (258, pktap(1) + ETHERNET + TYPE_4 + OVER_4),
        (149, pktap(12) + OVER_6),
        (1, ETHERNET + TYPE_4 + OVER_4 + b"padding"),
    ],
)
def test_a_segment_is_found_below_its_link_layer(link: int, data: bytes) -> None:
    segment = read_segment(Packet(link, memoryview(data)))

    assert segment is not None
    assert bytes(segment.payload) == TEXT
    where = (str(ip_address(segment.flow.target)), segment.flow.target_port)
    assert where in {SERVER, SERVER_6}


@pytest.mark.parametrize(
    ("link", "data"),
    [
        (1, b""),
        (1, ETHERNET + b"\x08\x06" + bytes(28)),
        (1, ETHERNET + TYPE_4 + OVER_4[:30]),
        (101, OVER_4[:9] + b"\x11" + OVER_4[10:]),
        (101, OVER_4[:6] + b"\x00\x10" + OVER_4[8:]),
        (101, b"\x50" + OVER_4[1:]),
        (258, pktap(258) + OVER_4),
        (258, struct.pack("<III", 0, 1, 258)),
        (9_999, OVER_4),
    ],
    ids=["empty", "arp", "cut", "udp", "fragment", "ip-5", "nested", "endless", "unknown"],
)
def test_other_packets_hold_no_segment(link: int, data: bytes) -> None:
    assert read_segment(Packet(link, memoryview(data))) is None


def test_ipv6_options_are_skipped() -> None:
    options = OVER_6[:6] + b"\x00" + OVER_6[7:40] + b"\x06\x00" + bytes(6) + OVER_6[40:]
    longer = OVER_6[:4] + struct.pack("!H", len(options) - 40) + options[6:]
    segment = read_segment(Packet(229, memoryview(longer)))

    assert segment is not None
    assert bytes(segment.payload) == TEXT


@pytest.mark.parametrize("start", [1_000, 2**32 - 20], ids=["plain", "wrapping"])
def test_pieces_are_joined_in_whatever_order_they_came(start: int) -> None:
    pieces = [(0, TEXT[:10]), (10, TEXT[10:40]), (40, TEXT[40:])]
    for order in permutations(pieces):
        (stream,) = streams(packets(spoken(order, start)))

        assert list(stream.beginnings()) == [TEXT]


def test_retransmitted_and_overlapping_pieces_are_joined_once() -> None:
    pieces = [(0, TEXT[:20]), (0, TEXT[:20]), (10, TEXT[10:50]), (5, TEXT[5:8]), (30, TEXT[30:])]
    (stream,) = streams(packets(spoken(pieces)))

    assert list(stream.beginnings()) == [TEXT]


def test_nothing_is_made_up_for_a_lost_piece() -> None:
    (stream,) = streams(packets(spoken([(0, TEXT[:10]), (20, TEXT[20:])])))

    assert list(stream.beginnings()) == [TEXT[:10]]


def test_without_a_syn_the_stream_begins_where_a_hello_does() -> None:
    frames = [ethernet(tcp(each, at)) for at, each in ((7, b"later"), (50, TEXT), (12, b"and on"))]
    (stream,) = streams(packets(frames))

    assert list(stream.beginnings()) == [TEXT]


def test_a_port_that_is_used_again_is_another_stream() -> None:
    again = spoken([(0, b"first")], 1_000) + spoken([(0, b"second")], 900_000)

    assert [next(each.beginnings()) for each in streams(packets(again))] == [b"first", b"second"]


def test_a_syn_sent_twice_is_one_stream() -> None:
    frames = spoken([(0, TEXT)])

    assert len(streams(packets([frames[0], *frames]))) == 1


def test_the_two_directions_are_apart() -> None:
    answer = tcp(b"welcome", 77, source=SERVER, target=("192.0.2.1", 50_000), flags=SYN)

    assert len(streams(packets([*spoken([(0, TEXT)]), ethernet(answer)]))) == 2


@pytest.mark.slow
@given(
    st.sampled_from([0, 1, 12, 101, 113, 149, 258, 276]),
    st.binary(max_size=120),
    st.sampled_from([b"", OVER_4, OVER_6, ETHERNET + TYPE_4 + OVER_4]),
    st.integers(0, 100),
)
def test_no_packet_raises(link: int, data: bytes, base: bytes, at: int) -> None:
    frame = base[:at] + data + base[at:]

    for stream in streams([Packet(link, memoryview(frame))]):
        list(stream.beginnings())
