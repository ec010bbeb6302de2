from __future__ import annotations

from dataclasses import replace
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.evidence.tls_decode import decode_flights
from stress.model.outcome import Stage
from stress.model.plan import Stack
from stress.model.transcript import Clock, Flight, Transcript
from tests.evidence.conftest import RECORD, Shake, transcript
from tests.stacks import main_stack
from tests.yardstick import stretched

HELLO = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"
ALERT = b"\x15\x03\x03\x00\x02\x02\x28"


def told(*flights: tuple[bool, bytes]) -> list[list[str]]:
    said = tuple(
        Flight(sent=sent, at_ns=place, clock=Clock.USER, data=data)
        for place, (sent, data) in enumerate(flights)
    )
    return decode_flights(replace(transcript(), flights=said))


def names(one: Transcript) -> list[list[str]]:
    """Without the sizes."""
    return [[words.partition(",")[0] for words in flight] for flight in decode_flights(one)]


@pytest.mark.parametrize("stack", Stack)
def test_a_tls_1_3_handshake_is_read_with_its_secrets(stack: Stack, shake: Shake) -> None:
    said = names(shake(stack, 0x0304))

    assert said[0] == ["ClientHello"]
    assert [each for each in said[1] if each != "ChangeCipherSpec"] == [
        "ServerHello", "EncryptedExtensions", "Certificate", "CertificateVerify", "Finished",
    ]  # fmt: skip
    assert said[2][-1] == "Finished"
    assert said[3][0] == "encrypted record"


def test_without_secrets_only_the_hellos_are_read(shake: Shake) -> None:
    one = replace(shake(main_stack(), 0x0304), secrets=())

    assert names(one)[1][:3] == ["ServerHello", "ChangeCipherSpec", "encrypted record"]


@pytest.mark.parametrize("secret", ["x y", "SERVER_HANDSHAKE_TRAFFIC_SECRET 00 zz"])
def test_secrets_that_are_none_are_none(secret: str, shake: Shake) -> None:
    one = replace(shake(Stack.OPENSSL, 0x0304), secrets=(secret,))

    assert "encrypted record" in names(one)[1]


@pytest.mark.parametrize("stack", Stack)
def test_a_tls_1_2_handshake_is_read_up_to_the_change_of_ciphers(
    stack: Stack, shake: Shake
) -> None:
    said = names(shake(stack, 0x0303))

    assert said[1] == ["ServerHello", "Certificate", "ServerKeyExchange", "ServerHelloDone"]
    assert said[2] == ["ClientKeyExchange", "ChangeCipherSpec", "encrypted handshake message"]


def test_a_message_is_told_in_the_flight_in_which_it_ends() -> None:
    said = told((True, HELLO[:7]), (True, HELLO[7:]), (False, ALERT))

    assert said == [
        ["7 bytes of a longer message"],
        ["ClientHello, 5 bytes"],
        ["Alert 40 handshake_failure (fatal)"],
    ]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 400\x1b[2J", r"16 bytes that are not TLS: HTTP/1.1 400\x1b[2J"),
        (b"\x16\x03\x03\x00\x09abc", "a record that was cut off"),
        (b"\x16\x03", "2 bytes that are not TLS: \\x16\\x03"),
        (b"\x16\x03\x03\x00\x04\x63\x00\x00\x00", "message of type 99, 4 bytes"),
        (b"\x15\x03\x03\x00\x01\x00", "record of type 21, 1 bytes"),
    ],
)
def test_whatever_came_is_told(answer: bytes, words: str) -> None:
    assert told((True, HELLO), (False, answer))[1] == [words]


def test_a_retry_is_told_from_a_hello() -> None:
    random = "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"
    retry = bytes.fromhex("160303002602000022" + "0303" + random)

    assert told((False, retry)) == [["HelloRetryRequest, 38 bytes"]]


def test_a_proxy_header_is_no_tls() -> None:
    header = b"PROXY TCP4 192.0.2.9 192.0.2.1 40001 443\r\n"

    assert told((True, header + HELLO)) == [["PROXY header, 42 bytes", "ClientHello, 5 bytes"]]


@given(
    st.lists(st.tuples(st.booleans(), st.binary(max_size=60)), max_size=5),
    st.sampled_from([None, 0x0303, 0x0304]),
    st.lists(st.text(max_size=60), max_size=2),
)
def test_nothing_that_was_said_makes_it_fall(
    said: list[tuple[bool, bytes]], version: int | None, secrets: list[str]
) -> None:
    flights = tuple(
        Flight(sent=sent, at_ns=0, clock=Clock.USER, data=b"\x16\x03\x03" + data)
        for sent, data in said
    )
    record = RECORD._replace(tls_version=version, cipher=0x1301)

    words = decode_flights(
        replace(transcript(), record=record, flights=flights, secrets=tuple(secrets))
    )

    assert len(words) == len(flights)
    assert all(words)


def test_many_flights_are_decoded_in_the_time_that_their_bytes_take() -> None:
    """A stranger's transcript may have one for each record: the square of 60,000 is minutes."""
    begun = process_time()
    said = told(*[(False, b"\x14\x03\x03\x00\x01\x01")] * 60_000)

    assert said[-1] == ["ChangeCipherSpec"] or said[-1][0].startswith("encrypted")
    assert process_time() - begun < stretched(10)


def test_what_was_spoken_before_tls_is_shown_as_text() -> None:
    said = tuple(
        Flight(sent=sent, at_ns=place, clock=Clock.USER, data=data)
        for place, (sent, data) in enumerate(
            [
                (False, b"220 mx\r\n"),
                (True, b"EHLO [192.0.2.1]\r\n"),
                (False, b"250-mx\r\n250 STARTTLS\x1b\r\n"),
                (True, b"STARTTLS\r\n"),
                (False, b"220 go\r\n"),
                (True, b"last words" + HELLO),
                (False, ALERT),
            ]
        )
    )
    one = transcript()
    one = replace(one, record=one.record._replace(starttls_ns=9), flights=said)

    assert decode_flights(one) == [
        ["in clear text: 220 mx"],
        ["in clear text: EHLO [192.0.2.1]"],
        ["in clear text: 250-mx", "in clear text: 250 STARTTLS\\x1b"],
        ["in clear text: STARTTLS"],
        ["in clear text: 220 go"],
        ["in clear text: last words", "ClientHello, 5 bytes"],
        ["Alert 40 handshake_failure (fatal)"],
    ]


def test_a_dialogue_without_tls_is_all_text() -> None:
    one = transcript()
    said = (Flight(sent=False, at_ns=1, clock=Clock.USER, data=b"554 no\r\n"),)
    one = replace(one, record=one.record._replace(stage=Stage.STARTTLS), flights=said)

    assert decode_flights(one) == [["in clear text: 554 no"]]
