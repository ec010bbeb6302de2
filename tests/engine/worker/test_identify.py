from __future__ import annotations

import sys

import pytest

from stress.engine.worker.identify import (
    LONGEST,
    MOST_BYTES,
    MOST_SIGNALS,
    HeaderQuestion,
    Signals,
)
from stress.model.plan import Address, Plan, Target

HEAD = b"HTTP/1.1 200 OK\r\nServer: nginx\r\n"


def question(header: str = "header:X-Served-By", host: str = "app.lab.test") -> HeaderQuestion:
    plan = Plan(Target(host, 8443), (Address("127.0.0.1", 443),), (), identify=header)
    made = HeaderQuestion.of(plan)
    assert made is not None
    return made


def test_one_head_is_sent_and_the_connection_is_to_be_closed() -> None:
    assert question().request == (
        b"HEAD / HTTP/1.1\r\nHost: app.lab.test:8443\r\nUser-Agent: tls-stress\r\n"
        b"Accept: */*\r\nConnection: close\r\n\r\n"
    )


def test_without_the_option_nothing_is_asked() -> None:
    assert HeaderQuestion.of(Plan(Target("a", 1), (), ())) is None


def test_a_stranger_s_host_puts_no_line_into_the_request() -> None:
    assert b"Host: :8443\r\n" in question(host="a\r\nX-Evil: 1").request


@pytest.mark.parametrize("line", [b"X-Served-By: node-7", b"x-served-by:node-7 "])
def test_the_header_names_the_server_whatever_its_case(line: bytes) -> None:
    assert question().name_in(HEAD + line + b"\r\n\r\n") == "node-7"


@pytest.mark.parametrize(
    "answer",
    [b"", HEAD + b"\r\n", HEAD + b"X-Served-By:\r\n\r\n", HEAD + b"X-Served-By: no",
     b"garbage\r\nX-Served-By: a\r\n\r\n", HEAD + b"\r\nX-Served-By: body"],
)  # fmt: skip
def test_without_the_header_or_an_answer_there_is_no_name(answer: bytes) -> None:
    assert question().name_in(answer) is None


def test_escape_sequences_are_shown_and_not_sent_to_the_terminal() -> None:
    name = question().name_in(HEAD + b"X-Served-By: \x1b[31mred\xff\r\n\r\n")

    assert name is not None
    assert name.isprintable()


def test_a_header_of_a_megabyte_is_not_read_on() -> None:
    answer = HEAD + b"X-Served-By: " + b"a" * 1_000_000

    assert question().is_answered(bytearray(answer[:MOST_BYTES]))
    assert question().name_in(answer) is None


def test_a_long_value_is_cut_and_still_tells_servers_apart() -> None:
    names = {
        question().name_in(HEAD + b"X-Served-By: " + b"a" * 200 + end + b"\r\n\r\n")
        for end in (b"1", b"2")
    }

    assert len(names) == 2
    assert all(name and len(name) <= LONGEST for name in names)


def test_a_cookie_is_told_by_its_name_and_a_hash() -> None:
    ask = question("header:Set-Cookie")
    one = ask.name_in(HEAD + b"Set-Cookie: route=secret; Path=/; HttpOnly\r\n\r\n")
    same = ask.name_in(HEAD + b"Set-Cookie: route=secret; Path=/x\r\n\r\n")
    other = ask.name_in(HEAD + b"Set-Cookie: route=another\r\n\r\n")

    assert one == same != other
    assert one is not None
    assert one.startswith("route=#")
    assert "secret" not in one


def scales(peer: int, own: int) -> int:
    """Two window scales in one octet, as a bit field of this CPU has them."""
    return peer | own << 4 if sys.byteorder == "little" else own | peer << 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (7, "MSS 1448, window scale 9, SACK, timestamps"),
        (6, "MSS 1448, window scale 9, SACK"),
        (0, "MSS 1448"),
        (7 | 8 | 16 | 32, "MSS 1448, window scale 9, SACK, timestamps"),
    ],
)
def test_tcp_options_are_those_of_the_other_end(options: int, words: str) -> None:
    """Congestion marks (ECN) and data in a SYN depend on the path and on us."""
    assert Signals().tcp(options, scales(9, 3), 1448) == words


def test_a_segment_that_grows_with_the_window_is_one_value() -> None:
    """On loopback the kernel's MSS is half of the largest window so far, not the server's word."""
    signals = Signals()

    assert {signals.tcp(7, scales(10, 7), mss) for mss in (32_768, 41_472, 1_461)} == {
        "MSS over 1460, window scale 10, SACK, timestamps"
    }
    assert signals.tcp(7, scales(10, 7), 1_460) == "MSS 1460, window scale 10, SACK, timestamps"


def test_a_server_with_ever_new_signals_does_not_fill_the_run_file() -> None:
    """Those that are known already stay told apart."""
    signals, more = Signals(), 3 * MOST_SIGNALS

    shapes = [signals.server_hello((0x0303, 0x1301, n)) for n in range(more)]
    ends = [signals.tcp(7, 0, n) for n in range(more)]

    for told in (shapes, ends):
        assert None not in told[:MOST_SIGNALS]
        assert set(told[MOST_SIGNALS:]) == {None}
        assert len(set(told[:MOST_SIGNALS])) == MOST_SIGNALS
    assert signals.server_hello((0x0303, 0x1301, 5)) == shapes[5]
    assert signals.server_hello(()) is None
