from __future__ import annotations

import pytest

from stress.engine.worker.identify import LONGEST, MOST_BYTES, HeaderQuestion
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
