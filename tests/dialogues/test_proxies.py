"""What is said to a proxy, byte for byte, and what its answers mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.dialogues.dialogue import Dialogue
from stress.dialogues.proxies import ProxyCredentials, ProxyDialogue
from stress.model.plan import Address, ProxyScheme

NAMED, NUMBERED, SIX = (Address(ip, 443) for ip in ("app.example.com", "192.0.2.7", "2001:db8::7"))
CREDENTIALS = ProxyCredentials.parse("jane:s3cret")


def dialogue(
    scheme: ProxyScheme, address: Address = NAMED, credentials: ProxyCredentials | None = None
) -> Dialogue:
    return ProxyDialogue(scheme, credentials)("192.0.2.9", address)


def verdict(one: Dialogue, *answers: bytes) -> tuple[str, str]:
    one.begin()
    for answer in answers:
        assert not one.is_over
        one.receive(answer)
    if one.breach is None:
        return ("ok" if one.is_over else "-"), bytes(one.talk.data).decode()
    return one.breach.category.value, one.breach.detail


@pytest.mark.parametrize(
    ("address", "place"),
    [(NAMED, "app.example.com:443"), (NUMBERED, "192.0.2.7:443"), (SIX, "[2001:db8::7]:443")],
)
def test_connect_names_the_target_twice(address: Address, place: str) -> None:
    said = dialogue(ProxyScheme.HTTP, address).begin()

    assert said == f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode()


def test_credentials_go_with_the_request_and_are_kept_nowhere() -> None:
    one = dialogue(ProxyScheme.HTTP, NUMBERED, CREDENTIALS)

    said, kept = one.begin(), one.talk.kept

    assert b"\r\nProxy-Authorization: Basic amFuZTpzM2NyZXQ=\r\n" in said
    assert b"\r\nProxy-Authorization: Basic ***\r\n" in kept
    assert "amFu" not in repr(CREDENTIALS)
    assert "jane" not in repr(CREDENTIALS)


@pytest.mark.parametrize(
    ("answer", "outcome", "words"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", "ok", ""),
        (b"HTTP/1.0 299 Fine\r\nContent-Length: 9\r\n\r\n", "ok", ""),
        (b"HTTP/1.1 200\r\n\r\n220 mail\r\n", "ok", "220 mail"),
        (b"HTTP/1.1 200 OK\r\n", "-", ""),
        (
            b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=x\r\n\r\n",
            "proxy-authentication",
            "asks for credentials: 'HTTP/1.1 407 No' with 'Proxy-Authenticate: Basic realm=x'",
        ),
        (b"HTTP/1.1 403 Filtered\r\n\r\n", "proxy-refused", "403 Filtered"),
        (
            b"HTTP/1.1 503 Bad\r\nX-Squid-Error: ERR_CONNECT_FAIL 111\r\n\r\n",
            "proxy-failed",
            "ERR_CONNECT_FAIL 111",
        ),
        (b"SSH-2.0-x\r\n", "proxy-failed", "is not HTTP: 'SSH-2.0-x'"),
        (b"\x05\xff\n", "proxy-failed", "a SOCKS proxy?"),
    ],
)
def test_the_answer_to_connect_decides(answer: bytes, outcome: str, words: str) -> None:
    found, detail = verdict(dialogue(ProxyScheme.HTTP), answer)

    assert found == outcome
    assert words in detail


def test_the_proxy_does_not_accept_what_it_got() -> None:
    one = dialogue(ProxyScheme.HTTP, credentials=CREDENTIALS)

    outcome, detail = verdict(one, b"HTTP/1.1 407 No\r\n\r\n")

    assert outcome == "proxy-authentication"
    assert "does not accept the credentials" in detail
    assert "s3cret" not in detail


@pytest.mark.parametrize(
    ("address", "place"),
    [
        (NAMED, b"\x03\x0fapp.example.com\x01\xbb"),
        (NUMBERED, b"\x01\xc0\x00\x02\x07\x01\xbb"),
        (SIX, b"\x04 \x01\r\xb8" + bytes(11) + b"\x07\x01\xbb"),
    ],
)
def test_socks_asks_for_names_by_name(address: Address, place: bytes) -> None:
    one = dialogue(ProxyScheme.SOCKS5, address)

    assert one.begin() == b"\x05\x01\x00"
    assert one.receive(b"\x05\x00") == b"\x05\x01\x00" + place
    assert one.receive(b"\x05\x00\x00\x01" + bytes(6)) == b""
    assert (one.is_over, one.breach) == (True, None)


def test_socks_logs_in_where_the_proxy_chooses_that() -> None:
    one = dialogue(ProxyScheme.SOCKS5, NUMBERED, CREDENTIALS)

    assert one.begin() == b"\x05\x02\x00\x02"
    assert one.receive(b"\x05\x02") == b"\x01\x04jane\x06s3cret"
    assert one.talk.kept == b"\x01\x03***\x03***"
    assert one.receive(b"\x01\x00").startswith(b"\x05\x01\x00\x01")


@pytest.mark.parametrize(
    ("answers", "outcome", "words"),
    [
        ([b"\x05\xff"], "proxy-authentication", "does not accept"),
        ([b"\x05\x02", b"\x01\x01"], "proxy-authentication", "status 1"),
        ([b"\x05\x01"], "proxy-failed", "method 1, not offered"),
        ([b"HTTP/1.1 400 x\r\n"], "proxy-failed", "an HTTP proxy?"),
        ([b"\x05\x00", b"\x05\x02\x00\x01" + bytes(6)], "proxy-refused", "rules (reply 2)"),
        ([b"\x05\x00", b"\x05\x05\x00\x01" + bytes(6)], "proxy-failed", "connection refused"),
        ([b"\x05\x00", b"\x05\xc8\x00\x01" + bytes(6)], "proxy-failed", "unknown (reply 200)"),
        ([b"\x05\x00", b"\x05\x00\x00\x07"], "proxy-failed", "not SOCKS 5"),
    ],
)
def test_what_socks_answers_mean(answers: list[bytes], outcome: str, words: str) -> None:
    found, detail = verdict(dialogue(ProxyScheme.SOCKS5, NUMBERED, CREDENTIALS), *answers)

    assert found == outcome
    assert words in detail


@given(st.sampled_from(list(ProxyScheme)), st.lists(st.binary(max_size=300), max_size=6))
def test_no_answer_raises(scheme: ProxyScheme, answers: list[bytes]) -> None:
    one = dialogue(scheme, credentials=CREDENTIALS)
    one.begin()
    for answer in answers:
        if not one.is_over:
            one.receive(answer)
    assert one.breach is None or one.breach.category.value.startswith(("proxy-", "protocol-"))
