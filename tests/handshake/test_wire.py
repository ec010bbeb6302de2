from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.handshake import stack_for
from stress.handshake.hello import read_hello
from stress.handshake.wire import Wire, plaintext_alert
from stress.model.plan import Client
from tests.handshake.ends import HOST, Pki, Server
from tests.handshake.scripted import (
    DATA,
    HANDSHAKE,
    RENEGOTIATION_INFO,
    alert,
    fragments,
    message,
    plain_flight,
    record,
    server_hello,
    vector,
)
from tests.stacks import main_stack

CHANGE_CIPHER_SPEC = record(20, b"\x01")
SENT = stack_for(Client("test"), main_stack(), server_name=HOST).machine().begin().send
HELLO = read_hello(SENT)
HELLO_13 = server_hello(
    HELLO, 0x1302, b"\x00\x2b\x00\x02\x03\x04" + b"\x00\x33\x00\x04\x11\xec\x00\x00"
)
RETRY = HELLO_13.replace(
    bytes(range(32)),
    bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"),
)


def read(data: bytes, cut: int | None = None) -> Wire:
    wire = Wire()
    for at in range(0, len(data), cut or max(len(data), 1)):
        wire.feed(data[at : at + (cut or len(data))])
    return wire


def told(wire: Wire) -> dict[str, object]:
    return {name: getattr(wire, name) for name in Wire.__slots__ if not name.startswith("_")}


@pytest.mark.parametrize("cut", [None, 1, 2, 5, 7, 1000])
def test_a_tls12_flight_tells_everything(pki: Pki, cut: int | None) -> None:
    wire = read(b"".join(plain_flight(SENT, pki.ecdsa.chain, pki.ecdsa.curve_key)), cut)

    assert wire.server_hello
    assert wire.version == 0x0303
    assert wire.cipher == 0xC02B
    assert wire.key_group == 29
    assert wire.certificates == pki.ecdsa.chain
    assert not wire.certificate_requested
    assert not wire.done


@pytest.mark.parametrize("cut", [None, 1])
def test_after_a_tls13_hello_nothing_more_is_read(cut: int | None) -> None:
    wire = read(record(HANDSHAKE, HELLO_13) + alert(40), cut)

    assert wire.done
    assert (wire.version, wire.cipher, wire.key_group) == (0x0304, 0x1302, 4588)
    assert wire.hello_shape == (0x0303, 0x1302, 43, 51)
    assert wire.alerts == []


def test_a_retry_is_no_hello_and_its_change_cipher_spec_means_nothing() -> None:
    wire = read(record(HANDSHAKE, RETRY) + CHANGE_CIPHER_SPEC)

    assert wire.retried
    assert not wire.server_hello
    assert wire.version is None
    assert wire.hello_shape == ()
    assert not wire.done

    wire.feed(record(HANDSHAKE, HELLO_13))

    assert wire.server_hello


def test_after_change_cipher_spec_a_tls12_alert_is_not_readable() -> None:
    hello = record(HANDSHAKE, server_hello(HELLO, 0xC02B))

    wire = read(hello + CHANGE_CIPHER_SPEC + alert(40))

    assert wire.done
    assert wire.alerts == []


def test_a_certificate_request_is_seen(pki: Pki) -> None:
    server = Server(pki.rsa).only(ssl.TLSVersion.TLSv1_2).demanding(pki.root_file)

    wire = read(server.answer(SENT))

    assert wire.certificate_requested
    assert wire.certificates == pki.rsa.chain


def test_messages_may_share_a_record_and_span_records(pki: Pki) -> None:
    flight = b"".join(plain_flight(SENT, pki.ecdsa.chain * 60, pki.ecdsa.curve_key))
    hello, certificate = server_hello(HELLO, 0xC02B), message(11, vector(vector(b"der", 3), 3))

    assert read(flight).certificates == pki.ecdsa.chain * 60  # more than one record
    assert read(record(HANDSHAKE, hello + certificate)).certificates == (b"der",)


@pytest.mark.parametrize(
    "body",
    [b"", b"\0", vector(b"", 3) + b"\0", b"\x00\x00\x09\x00\x00\x07abcd", b"\x00\x00\x02\x00\x00"],
)
def test_a_certificate_message_that_does_not_add_up_tells_none(body: bytes) -> None:
    assert read(record(HANDSHAKE, message(11, body))).certificates is None


@pytest.mark.parametrize(
    ("key_exchange", "group"),
    [(b"\x03\x00\x17\x41", 23), (b"\x01\x00\x17\x41", None), (b"\x03", None)],
)
def test_the_group_is_that_of_a_named_curve(key_exchange: bytes, group: int | None) -> None:
    assert read(record(HANDSHAKE, message(12, key_exchange))).key_group == group


@pytest.mark.parametrize("body", [b"", bytes(37), b"\x03\x03" + bytes(32) + b"\xff" + bytes(9)])
def test_a_hello_that_ends_too_early_is_none(body: bytes) -> None:
    wire = read(record(HANDSHAKE, message(2, body)))

    assert not wire.server_hello
    assert wire.done


def test_extensions_that_end_too_early_are_read_as_far_as_whole() -> None:
    said = server_hello(HELLO, 0xC02B, RENEGOTIATION_INFO + b"\x00\x2b\x00\x09\x03\x04")

    wire = read(fragments(said))

    assert wire.version == 0x0303
    assert wire.hello_shape == (0x0303, 0xC02B, 0xFF01)


def test_alerts_are_collected_even_when_they_come_in_pieces() -> None:
    wire = read(record(21, b"\x01") + record(21, b"\x5a\x01") + record(21, b"\x00") + alert(80))

    assert wire.alerts == [(1, 90), (1, 0), (2, 80)]


@pytest.mark.parametrize(
    "data",
    [b"HTTP/1.1 200 OK\r\n", b"2", b"\x13\x03", b"\x18\x03", b"\x16\x02\x00", b"\x80\x2e\x04"],
)
@pytest.mark.parametrize("cut", [None, 1])
def test_what_is_no_tls_is_foreign(data: bytes, cut: int | None) -> None:
    wire = read(data, cut)

    assert wire.foreign
    assert data.startswith(wire.foreign)


def test_a_long_foreign_answer_is_quoted_in_part() -> None:
    assert read(b"x" * 10_000).foreign == b"x" * 64


def test_application_data_ends_the_reading() -> None:
    assert read(record(DATA, b"x")).done


def test_a_message_too_long_to_be_true_ends_the_reading() -> None:
    assert read(record(HANDSHAKE, b"\x0b\xff\xff\xff")).done


@given(st.binary(max_size=400), st.integers(1, 60))
def test_cutting_changes_nothing_and_nothing_raises(data: bytes, cut: int) -> None:
    for start in (b"", record(HANDSHAKE, RETRY), b"\x16\x03\x03"):
        assert told(read(start + data)) | {"foreign": 0} == told(read(start + data, cut)) | {
            "foreign": 0
        }


@pytest.mark.parametrize(
    ("data", "number"),
    [
        (alert(50), 50),
        (alert(90, 1) + alert(0, 1), 0),
        (record(HANDSHAKE, b"abc") + alert(51), 51),
        (b"", None),
        (record(HANDSHAKE, b"abc"), None),
        (record(21, bytes(26)), None),  # encrypted, TLS 1.2
        (record(DATA, bytes(19)), None),  # encrypted, TLS 1.3
        (alert(50)[:-1], None),
    ],
)
def test_our_own_alert_is_found_where_it_stands_in_the_clear(
    data: bytes, number: int | None
) -> None:
    assert plaintext_alert(data) == number
