"""The hello somebody's app sent, wherever in a file it stands; and why there is none."""

from __future__ import annotations

import gzip
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.clients.importing import hellos_in, pick, read_hellos
from stress.errors import UsageError
from tests.planning.packets import CLIENT_6, SERVER_6, ethernet, hello, pcap, pcapng, spoken, tcp

HELLO = hello()
OTHER = hello("other.lab.test")
NAMELESS = hello(None)


def in_records(record: bytes, size: int) -> bytes:
    """The same message in records of so many octets."""
    message = record[5:]
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + len(each).to_bytes(2) + each for each in pieces)


def several(*hellos: bytes) -> bytes:
    """A capture of one connection after the other."""
    frames: list[bytes] = []
    for number, each in enumerate(hellos):
        frames += spoken([(0, each)], 10_000 * (number + 1))
    return pcap(frames)


CASES = {
    "records": HELLO,
    "bare message": HELLO[5:],
    "several records": in_records(HELLO, 100),
    "tiny records": in_records(HELLO, 1),
    "pcap": pcap(spoken([(0, HELLO)])),
    "pcapng": pcapng(spoken([(0, HELLO)])),
    "two segments": pcap(spoken([(0, HELLO[:90]), (90, HELLO[90:])])),
    "out of order": pcap(spoken([(90, HELLO[90:]), (0, HELLO[:90]), (0, HELLO[:90])])),
    "no SYN": pcap([ethernet(tcp(HELLO, 5))]),
    "records in segments": pcap(
        spoken([(60, in_records(HELLO, 50)[60:]), (0, in_records(HELLO, 50)[:60])])
    ),
    "over IPv6": pcap([ethernet(tcp(HELLO, 5, source=CLIENT_6, target=SERVER_6))]),
    "through a proxy": pcap(spoken([(0, b"CONNECT app.lab.test:443 HTTP/1.1\r\n\r\n" + HELLO)])),
    "behind STARTTLS": pcap(spoken([(0, b"EHLO [192.0.2.1]\r\nSTARTTLS\r\n" + HELLO)])),
    "behind StartTLS of LDAP": pcap(
        spoken([(0, b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037" + HELLO)])
    ),
    "and the request": pcap(spoken([(0, HELLO + b"\x17\x03\x03\x00\x05hello")])),
    "cut behind it": pcap(spoken([(0, HELLO), (len(HELLO), b"more")]))[:-3],
}


@pytest.mark.parametrize("data", CASES.values(), ids=CASES)
def test_the_hello_is_found(data: bytes) -> None:
    (found,) = hellos_in(data)

    assert found.host == "app.lab.test"
    assert found.hello.random == HELLO[11:43]


def test_it_is_told_where_a_captured_hello_went() -> None:
    assert hellos_in(CASES["pcap"])[0].target == "198.51.100.7:443"
    assert hellos_in(CASES["over IPv6"])[0].target == "[2001:db8::7]:443"
    assert hellos_in(HELLO)[0].target is None


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("other.lab.test", OTHER), ("APP.lab.test.", HELLO), ("none", NAMELESS)],
)
def test_the_first_hello_for_the_name_is_taken(name: str, wanted: bytes) -> None:
    chosen = pick(hellos_in(several(HELLO, OTHER, NAMELESS, hello())), name)

    assert chosen[0].hello.random == wanted[11:43]


def test_a_name_that_was_sent_with_a_final_dot_is_found_as_it_was_sent() -> None:
    dotted = hello("app.lab.test.")

    assert pick(hellos_in(several(HELLO, dotted)), "app.lab.test.")[0].hello.random == dotted[11:43]
    assert pick(hellos_in(several(HELLO, dotted)), "app.lab.test")[0].hello.random == HELLO[11:43]


def test_one_host_needs_no_choice() -> None:
    assert len(pick(hellos_in(several(HELLO, hello())), None)) == 2


def test_several_hosts_do_and_are_named() -> None:
    with pytest.raises(UsageError, match=r"2 hosts: app\.lab\.test, other\.lab\.test") as caught:
        pick(hellos_in(several(HELLO, OTHER)), None)

    assert caught.value.hint == "Choose one, such as --sni app.lab.test"


def test_a_name_that_is_not_there_gets_the_nearest() -> None:
    with pytest.raises(UsageError, match="othr") as caught:
        pick(hellos_in(several(HELLO, OTHER)), "othr.lab.test")

    assert 'Did you mean "other.lab.test"?' in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "neither a capture nor a ClientHello: 0 bytes"),
        (b"-----BEGIN", "neither a capture nor a ClientHello"),
        (HELLO[:100], r"contains the beginning of a ClientHello, but not all of it \(100 bytes\)"),
        (gzip.compress(pcap([])), "is compressed"),
        (pcap([]), r"contains no ClientHello \(0 packets"),
        (pcap(spoken([(0, b"GET / HTTP/1.1\r\n\r\n")])), r"2 packets and 1 TCP streams\)$"),
        (pcap(spoken([(0, HELLO)]))[:200], "ends in the middle of a packet"),
        (pcap(spoken([(0, HELLO[:90])])), "but not all of it"),
    ],
)
def test_why_there_is_none_is_said(data: bytes, told: str, tmp_path: Path) -> None:
    file = tmp_path / "trace"
    file.write_bytes(data)

    with pytest.raises(UsageError, match=told):
        read_hellos(file)


@pytest.mark.parametrize("name", ["missing", ".", "nul\0"])
def test_a_file_that_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_hellos(tmp_path / name)


@pytest.mark.slow
@given(st.sampled_from(list(CASES.values())), st.integers(0, 700), st.binary(max_size=30))
def test_a_damaged_file_gives_hellos_or_none(whole: bytes, at: int, junk: bytes) -> None:
    for data in (junk, whole[:at], whole[:at] + junk + whole[at:], whole[:at] + junk):
        with suppress(UsageError):
            assert len(hellos_in(data)) == 1
