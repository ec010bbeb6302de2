from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stress.evidence.packets import LINKTYPE_RAW, Packet, write
from tests.evidence.packets import read_capture

packets = st.lists(st.builds(Packet, st.integers(0, (1 << 64) - 1), st.binary(max_size=99)))
lines = st.lists(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40))


@given(packets, lines, st.text(), st.text())
def test_what_is_written_is_read_back(
    packets: list[Packet], secrets: list[str], origin: str, comment: str
) -> None:
    found = read_capture(write(packets, secrets, origin=origin, comment=comment))

    assert found.packets == packets
    assert found.secrets.decode() == "".join(f"{line}\n" for line in secrets)
    assert (found.link_type, found.resolution) == (LINKTYPE_RAW, 9)
    assert found.options == {4: origin.encode(), 1: comment.encode()}


def test_secrets_stand_before_the_packets_that_need_them() -> None:
    found = read_capture(write([Packet(1, b"x")], ["A b c"], origin="", comment=""))

    assert found.kinds == [0x0A0D0D0A, 1, 10, 6]


def test_without_secrets_there_is_no_block_for_them() -> None:
    assert read_capture(write([], [], origin="", comment="")).kinds == [0x0A0D0D0A, 1]


def test_a_time_out_of_range_is_written_at_the_edge() -> None:
    late, early = Packet(1 << 65, b""), Packet(-5, b"")

    found = read_capture(write([late, early], [], origin="", comment=""))

    assert [packet.at_ns for packet in found.packets] == [(1 << 64) - 1, 0]


def test_a_text_longer_than_an_option_is_cut() -> None:
    found = read_capture(write([], [], origin="", comment="x" * 70_000))

    assert len(found.options[1]) == 0xFFFC
