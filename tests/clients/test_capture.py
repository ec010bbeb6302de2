"""Files of packets: both formats, both byte orders, and files that break off."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.clients.capture import is_capture, read_capture
from tests.planning.packets import block, pcap, pcapng

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
