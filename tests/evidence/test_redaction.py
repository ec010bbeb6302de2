from __future__ import annotations

from dataclasses import replace

import pytest

from stress.evidence.redaction import Mask
from stress.model.outcome import Stage
from stress.model.plan import Address
from stress.model.record import RecordSource
from stress.model.run import JoinedLog
from stress.model.transcript import Clock, Flight
from tests.evidence.conftest import ADDRESS, Shake, plan_for, transcript
from tests.evidence.dossiers import facts_for
from tests.stacks import main_stack

LOCAL = "198.51.100.99"
HELLO = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"


def sent(data: bytes) -> Flight:
    return Flight(sent=True, at_ns=1, clock=Clock.USER, data=data)


def test_secrets_are_gone_and_the_local_address_is_a_documentation_one(shake: Shake) -> None:
    one = shake(main_stack(), 0x0304)

    masked = Mask([one], plan_for()).transcript(one)

    assert one.secrets
    assert masked.secrets == ()
    assert masked.local_ip == "192.0.2.1"
    assert (masked.address, masked.flights) == (one.address, one.flights)


def test_an_ipv6_address_becomes_one() -> None:
    one = replace(transcript(), address=Address("2001:db8:1::7", 1), local_ip="fe80::9")

    assert Mask([one], plan_for()).transcript(one).local_ip == "2001:db8::1"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"from {LOCAL} port 5", "from 192.0.2.1 port 5"),
        (f"from {LOCAL}.", "from 192.0.2.1."),
        (f"1{LOCAL} {LOCAL}1 {LOCAL}.4", f"1{LOCAL} {LOCAL}1 {LOCAL}.4"),
        ("from 10.9.8.7,", "from 192.0.2.2,"),
        (f"to {ADDRESS}", f"to {ADDRESS}"),
    ],
)
def test_local_addresses_in_words_are_replaced_whole(text: str, shown: str) -> None:
    mask = Mask([transcript()], plan_for(sources=("10.9.8.7", ADDRESS.ip)))

    assert mask.text(text) == shown


def test_a_proxy_header_is_left_out() -> None:
    header = f"PROXY TCP4 {LOCAL} 198.51.100.7 1 2\r\n".encode()
    one = replace(transcript(), flights=(sent(header + HELLO), sent(b"next")))

    masked = Mask([one], plan_for()).transcript(one)

    assert [flight.data for flight in masked.flights] == [HELLO, b"next"]


def test_a_client_certificate_may_name_a_person_and_is_left_out() -> None:
    answer = Flight(sent=False, at_ns=2, clock=Clock.USER, data=b"answer")
    one = replace(transcript(), flights=(sent(HELLO), answer, sent(b"CN=Jane")))

    masked = Mask([one], plan_for(client_certificate="jane.pem")).transcript(one)

    assert [flight.data for flight in masked.flights] == [HELLO, b"answer"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot read /srv/jane/keys/ca.pem: denied", "cannot read ca.pem: denied"),
        ("see ~/runs/a.db, at 50/s", "see a.db, at 50/s"),
        ("../../jane/lists/addresses.txt has two", "addresses.txt has two"),
        ("http://pki.example/ca/one.crt 10/11", "http://pki.example/ca/one.crt 10/11"),
    ],
)
def test_directories_in_sentences_are_left_out(text: str, shown: str) -> None:
    masked = Mask([], plan_for()).facts(replace(facts_for(plan_for()), reasons=(text,)))

    assert masked.reasons == (shown,)


def test_files_of_logs_and_records_are_named_without_their_directories() -> None:
    joined = JoinedLog(("/srv/jane/proxy.log",), "HAProxy", False, 1, 0, 0, 0, 0)
    records = RecordSource(("/srv/jane/calls.csv",), "status != 200", 1, 1)
    known = replace(facts_for(plan_for()), joined=joined, records=records)
    masked = Mask([], plan_for()).facts(known)

    assert masked.joined is not None
    assert masked.records is not None
    assert (masked.joined.files, masked.records.files) == (("proxy.log",), ("calls.csv",))


def test_what_was_spoken_before_tls_does_not_name_us() -> None:
    spoken = (
        sent(f"EHLO [{LOCAL}]\r\n".encode()),
        replace(sent(f"250 hello [{LOCAL}]\r\n".encode()), sent=False),
        sent(HELLO),
        sent(b"a certificate of ours"),
    )
    row = transcript().record._replace(starttls_ns=5, detail=f"the server said 'hi {LOCAL}'")
    one = replace(transcript(), record=row, flights=spoken)

    plain = Mask([one], plan_for()).transcript(one)
    with_certificate = Mask([one], plan_for(client_certificate="me.pem")).transcript(one)

    assert [each.data for each in plain.flights] == [
        b"EHLO [192.0.2.1]\r\n", b"250 hello [192.0.2.1]\r\n", HELLO, b"a certificate of ours",
    ]  # fmt: skip
    assert with_certificate.flights == plain.flights[:3]
    assert plain.record.detail == "the server said 'hi 192.0.2.1'"


def test_a_dialogue_that_never_led_to_tls_is_kept_whole() -> None:
    said = sent(f"EHLO [{LOCAL}]\r\n".encode()), sent(b"STARTTLS\r\n")
    row = transcript().record._replace(stage=Stage.STARTTLS)
    one = replace(transcript(), record=row, flights=said)

    masked = Mask([one], plan_for(client_certificate="me.pem")).transcript(one)

    assert [each.data for each in masked.flights] == [b"EHLO [192.0.2.1]\r\n", b"STARTTLS\r\n"]
