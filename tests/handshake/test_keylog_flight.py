from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.handshake import HandshakeMachine, KeyLog, State, stack_for
from stress.handshake.keylog import read_flight, secret_of
from stress.model.outcome import Stage
from stress.model.plan import Client, Stack
from tests.handshake.ends import HOST, Pki, Server
from tests.handshake.scripted import ALERT, DATA, HANDSHAKE, Scripted13, alert, message, record

CIPHERS = {
    0x1301: "TLS_AES_128_GCM_SHA256",
    0x1302: "TLS_AES_256_GCM_SHA384",
    0x1303: "TLS_CHACHA20_POLY1305_SHA256",
}
CERTIFICATE_REQUEST = message(13, b"\0" + b"\x00\x08\x00\x0d\x00\x04\x00\x02\x04\x03")


@pytest.fixture
def log() -> Iterator[KeyLog]:
    with closing(KeyLog()) as opened:
        yield opened


@pytest.fixture
def server(pki: Pki) -> Scripted13:
    return Scripted13(pki.ecdsa.chain, pki.ecdsa.curve_key)


def fresh(stack: Stack, log: KeyLog) -> HandshakeMachine:
    client = Client("test", versions=(0x0304,), groups=(29,))
    return stack_for(client, stack, server_name=HOST, key_log=log).machine()


@pytest.mark.parametrize("cipher", CIPHERS)
def test_the_flight_of_a_real_server_is_read_in_every_suite(
    pki: Pki, log: KeyLog, cipher: int
) -> None:
    client = Client("test", versions=(0x0304,), cipher_suites=(cipher,))
    machine = stack_for(client, Stack.OPENSSL, server_name=HOST, key_log=log).machine()
    sent = machine.begin().send
    said = Server(pki.rsa).demanding(pki.root_file).answer(sent)
    machine.receive(said)
    secret = secret_of(log.lines(sent[11:43]), "SERVER_HANDSHAKE_TRAFFIC_SECRET")
    assert secret

    flight = read_flight(said, cipher, secret)

    assert flight is not None
    assert machine.facts().cipher == cipher
    assert flight.certificates == pki.rsa.chain
    assert flight.certificate_seen
    assert flight.certificate_requested
    assert flight.last_alert is None


def test_a_chain_that_the_library_cannot_decode_is_seen_all_the_same(
    stack: Stack, log: KeyLog, pki: Pki
) -> None:
    chain = (b"\x31" + pki.ecdsa.chain[0][1:], *pki.ecdsa.chain[1:])
    machine = fresh(stack, log)
    server = Scripted13(chain, pki.ecdsa.curve_key)

    machine.receive(b"".join(server.flight(machine.begin().send)))

    facts = machine.facts()
    assert facts.outcome.name == "malformed-certificate"
    assert facts.chain == chain
    assert " sent" in (facts.detail or "")  # our own alert, also where it was encrypted


def test_an_empty_certificate_message_was_a_certificate_message(
    stack: Stack, log: KeyLog, pki: Pki
) -> None:
    machine = fresh(stack, log)

    machine.receive(b"".join(Scripted13((), pki.ecdsa.curve_key).flight(machine.begin().send)))

    assert machine.facts().outcome.name == "protocol-error"
    assert machine.facts().stage is Stage.CERTIFICATE
    assert machine.facts().chain is None


def test_an_encrypted_alert_without_a_name_is_numbered(
    stack: Stack, log: KeyLog, server: Scripted13
) -> None:
    machine = fresh(stack, log)
    hello = server.greet(machine.begin().send)

    machine.receive(hello + server.seal(ALERT, b"\x02\x63"))

    assert machine.facts().outcome.name == "alert-99"


@pytest.mark.parametrize("number", [40, 42, 116])
def test_any_rejection_after_a_certificate_request_means_that_one_is_required(
    stack: Stack, log: KeyLog, server: Scripted13, number: int
) -> None:
    machine = fresh(stack, log)
    head = server.greet(machine.begin().send)
    said = [server.extensions(), server._note(CERTIFICATE_REQUEST), server.certificates()]
    flight = [server.seal(HANDSHAKE, each) for each in said]
    flight += [server.seal(HANDSHAKE, say()) for say in (server.verify, server.finished)]
    server.finish()
    step = machine.receive(head + b"".join(flight))

    machine.receive(server.seal(ALERT, bytes([2, number])))

    assert step.state is State.FINISHED
    assert machine.facts().outcome.name == "client-certificate-required"
    assert machine.facts().stage is Stage.AFTER_HANDSHAKE


def test_reading_stops_where_the_key_no_longer_fits(
    stack: Stack, log: KeyLog, pki: Pki, server: Scripted13
) -> None:
    machine = fresh(stack, log)
    sent = machine.begin().send
    records = server.flight(sent)
    machine.receive(b"".join(records))
    secret = secret_of(log.lines(sent[11:43]), "SERVER_HANDSHAKE_TRAFFIC_SECRET") or b""

    whole = read_flight(b"".join(records) + server.seal(ALERT, b"\x02\x28"), 0x1301, secret)
    part = read_flight(b"".join(records[:2]) + records[2][:-1], 0x1301, secret)
    other = read_flight(b"".join(records), 0x1301, bytes(32))

    assert whole is not None
    assert whole.certificates == pki.ecdsa.chain
    assert whole.last_alert is None
    assert part is not None
    assert not part.certificate_seen
    assert other is not None
    assert not other.certificate_seen


def test_nothing_is_read_without_a_secret_or_for_another_suite() -> None:
    assert read_flight(b"", 0xC02B, bytes(32)) is None
    assert secret_of(("CLIENT_RANDOM aa 01",), "SERVER_HANDSHAKE_TRAFFIC_SECRET") is None
    assert secret_of(("A b", "SERVER x y z"), "A") is None


def test_a_tls12_failure_needs_no_secrets(stack: Stack, log: KeyLog, pki: Pki) -> None:
    client = Client("test", versions=(0x0303,))
    machine = stack_for(client, stack, server_name=HOST, key_log=log).machine()
    server = Server(pki.ecdsa).only(ssl.TLSVersion.TLSv1_2).demanding(pki.root_file)
    step = machine.begin()
    while step.state is State.WAITING:
        step = machine.receive(server.answer(step.send))

    assert machine.facts().outcome.name == "client-certificate-required"


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.sampled_from([ALERT, HANDSHAKE, DATA]), st.binary(max_size=80)))
    | st.just([])
)
def test_any_bytes_under_a_good_key_are_read_without_a_complaint(
    said: list[tuple[int, bytes]],
) -> None:
    server = Scripted13((), None)  # type: ignore[arg-type] # it never signs here
    server._switch(bytes(32))
    records = alert(1) + b"".join(
        server.seal(kind, payload) if payload else record(DATA, b"") for kind, payload in said
    )

    flight = read_flight(records, 0x1301, bytes(32))

    assert flight is not None
