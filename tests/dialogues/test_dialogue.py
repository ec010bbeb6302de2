"""What holds for every dialogue, whatever its protocol."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.dialogues.dialogue import LONGEST_LINE, MOST_BYTES, shown
from stress.model.outcome import Category
from stress.model.plan import StartTls
from tests.dialogues.conversations import GOOD, LAST, dialogue, ending, hold

ALL = pytest.mark.parametrize("protocol", list(StartTls), ids=str)
LINES = [each for each in StartTls if each not in {"ldap", "postgres", "mysql", "xmpp"}]


@ALL
def test_a_healthy_server_is_asked_word_by_word_and_then_tls_begins(protocol: StartTls) -> None:
    one, turns = dialogue(protocol), GOOD[protocol]

    sent = hold(one, *(says for _, says in turns))

    assert sent == [*(send for send, _ in turns), LAST.get(protocol, b"")]
    assert one.is_over
    assert one.breach is None


@ALL
def test_it_is_the_same_byte_by_byte(protocol: StartTls) -> None:
    one, turns = dialogue(protocol), GOOD[protocol]

    sent = hold(one, *(bytes([octet]) for _, says in turns for octet in says))

    assert [each for each in sent if each] == [
        each for each in [*(send for send, _ in turns), LAST.get(protocol, b"")] if each
    ]
    assert (one.is_over, one.breach) == (True, None)


@ALL
def test_nothing_is_decided_while_an_answer_is_not_whole(protocol: StartTls) -> None:
    *before, last = (says for _, says in GOOD[protocol])
    for size in range(len(last)):
        assert ending(protocol, *before, *filter(None, [last[:size]])) == ("-", "")


@ALL
def test_clear_text_behind_the_go_ahead_never_reaches_tls(protocol: StartTls) -> None:
    *before, last = (says for _, says in GOOD[protocol])

    category, detail = ending(protocol, *before, last + b"250 injected\r\n")

    assert category == "protocol-error"
    assert "14 bytes in clear text behind the go-ahead: '250 injected\\r\\n'" in detail


@pytest.mark.parametrize(
    "protocol", [each for each in StartTls if len(GOOD[each]) > 1 and each != "imap"], ids=str
)
def test_an_answer_before_its_command_is_a_breach(protocol: StartTls) -> None:
    (_, first), (_, second), *_ = GOOD[protocol]

    category, detail = ending(protocol, first + second)

    assert category == "protocol-error"
    assert "bytes before they were asked for" in detail


def test_imap_may_say_things_at_any_time() -> None:
    says = [each for _, each in GOOD[StartTls.IMAP]]
    says[0] += b"* OK [ALERT] maintenance at noon\r\n"

    assert ending(StartTls.IMAP, *says) == ("ok", "")


@ALL
def test_endless_bytes_end_it(protocol: StartTls) -> None:
    first = GOOD[protocol][0][1]
    one = dialogue(protocol)
    one.begin()
    size = 0
    while not one.is_over and size <= 2 * MOST_BYTES:
        one.receive(first[:-1] + b" " * 4096)
        size += 4096

    assert one.is_over
    assert one.breach is not None
    assert len(one.talk.data) <= MOST_BYTES + 8192


@pytest.mark.parametrize("protocol", LINES, ids=str)
def test_an_endless_line_ends_it_early(protocol: StartTls) -> None:
    first = GOOD[protocol][0][1].split(b"\r\n")[0]

    category, detail = ending(protocol, first + b"x" * LONGEST_LINE)

    assert (category, detail) == ("protocol-error", "a line of more than 8,192 bytes")


@pytest.mark.parametrize(
    ("protocol", "line"),
    [
        ("smtp", b"220-x\r\n"),
        ("ftp", b"220-\r\n"),
        ("sieve", b'"X" "y"\r\n'),
        ("nntp", b"200-\r\n"),
    ],
)
def test_endless_lines_end_it(protocol: str, line: bytes) -> None:
    category, detail = ending(StartTls(protocol), line * 600)

    assert (category, detail) == ("protocol-error", "an answer of more than 500 lines")


@pytest.mark.parametrize("protocol", ["imap", "pop3", "nntp"])
def test_endless_lists_end_it(protocol: str) -> None:
    kind = StartTls(protocol)
    greeting, (_, answer) = GOOD[kind][0][1], GOOD[kind][1]
    head = b"" if protocol == "imap" else answer.split(b"\r\n")[0] + b"\r\n"

    category, detail = ending(kind, greeting, head + b"* more\r\n" * 600)

    assert (category, detail) == ("protocol-error", "an answer of more than 500 lines")


@given(protocol=st.sampled_from(StartTls), parts=st.lists(st.binary(min_size=1), max_size=6))
def test_no_bytes_raise(protocol: StartTls, parts: list[bytes]) -> None:
    one = dialogue(protocol)
    one.begin()
    for part in parts:
        if not one.is_over:
            one.receive(part)
    if one.breach is not None:
        assert isinstance(one.breach.category, Category)
        assert one.breach.detail.isascii()


@given(protocol=st.sampled_from(StartTls), cut=st.integers(0, 400), junk=st.binary(min_size=1))
def test_no_bytes_in_the_middle_raise(protocol: StartTls, cut: int, junk: bytes) -> None:
    whole = b"".join(says for _, says in GOOD[protocol])
    one = dialogue(protocol)
    one.begin()
    for octet in whole[:cut] + junk:
        if not one.is_over:
            one.receive(bytes([octet]))


@ALL
def test_http_is_not_mistaken_for_it(protocol: StartTls) -> None:
    category, detail = ending(protocol, b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n")

    if (
        protocol is StartTls.MYSQL or protocol is StartTls.SIEVE
    ):  # "HTT" would be a length; it waits for more
        assert category == "-"
    else:
        assert category == "protocol-error"
        assert "HTTP" in detail


def test_what_a_server_says_is_harmless_to_read() -> None:
    assert shown(b"\x1b[2Jhello\xff") == r"'\x1b[2Jhello\xff'"
    assert len(shown(b"\n" * 500)) == 80
