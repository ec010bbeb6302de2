"""Handshakes that end before, at and after the finish, against servers that say chosen things."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key

from stress.handshake import HangUp, State
from stress.handshake.hello import read_hello
from stress.model.outcome import Stage
from stress.model.plan import Stack
from tests.handshake.conftest import Begin
from tests.handshake.ends import HOST, Pki, Server, shake
from tests.handshake.scripted import (
    ALERT,
    DATA,
    HANDSHAKE,
    RANDOM,
    RENEGOTIATION_INFO,
    Scripted13,
    alert,
    message,
    plain_flight,
    record,
    server_hello,
)
from tests.oracles.making import key, server, usage

OVER_AS = {
    HangUp.EOF: "eof",
    HangUp.RESET: "reset",
    HangUp.TIMEOUT: "timeout-handshake",
    HangUp.CANCEL: "cancelled",
}
RETRY_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
RETRY_EXTENSIONS = b"\x00\x2b\x00\x02\x03\x04\x00\x33\x00\x02\x00\x18"
TLS12, TLS13 = 0x0303, 0x0304
NEW_TICKET = message(4, bytes(8) + b"\x01\x00" + b"\x00\x04tick" + b"\x00\x00")


def flight(
    version: int, pki: Pki, sent: bytes, chain: tuple[bytes, ...] | None = None
) -> list[bytes]:
    """The records of a server of this version, ServerHello first."""
    shown = pki.ecdsa.chain if chain is None else chain
    if version == TLS12:
        return plain_flight(sent, shown, pki.ecdsa.curve_key)
    return Scripted13(shown, pki.ecdsa.curve_key).flight(sent)


@pytest.mark.parametrize("version", [TLS12, TLS13])
@pytest.mark.parametrize("how", list(HangUp))
@pytest.mark.parametrize(
    ("records", "stage"),
    [(0, Stage.CLIENT_HELLO), (1, Stage.SERVER_HELLO), (3, Stage.CERTIFICATE)],
)
def test_a_connection_that_ends_says_how_and_at_which_stage(
    fresh: Begin, pki: Pki, how: HangUp, version: int, records: int, stage: Stage
) -> None:
    machine = fresh(versions=(version,))
    sent = machine.begin().send
    machine.receive(b"".join(flight(version, pki, sent)[:records]))

    step = machine.hang_up(how)

    facts = machine.facts()
    assert step == (b"", State.OVER)
    assert (facts.outcome.name, facts.stage) == (OVER_AS[how], stage)
    assert facts.chain == (pki.ecdsa.chain if stage is Stage.CERTIFICATE else None)
    assert facts.tls_version == (version if records else None)
    assert facts.resumed is None
    assert not facts.settled


def test_half_a_server_hello_is_none(fresh: Begin, pki: Pki) -> None:
    machine = fresh()
    hello = flight(TLS13, pki, machine.begin().send)[0]
    machine.receive(hello[: len(hello) // 2])

    machine.hang_up(HangUp.EOF)

    assert machine.facts().stage is Stage.CLIENT_HELLO


@pytest.mark.parametrize("how", list(HangUp))
def test_after_the_handshake_an_end_is_no_failure(fresh: Begin, pki: Pki, how: HangUp) -> None:
    machine = fresh()
    shake(machine, Server(pki.ecdsa))

    step = machine.hang_up(how)

    assert step.state is State.OVER
    assert bool(step.send) is (how is not HangUp.RESET)  # a close_notify
    assert machine.facts().outcome.name == "ok"
    assert machine.facts().stage is Stage.FINISHED


AFTER: dict[str, tuple[Callable[[Scripted13], bytes], str, State]] = {
    "ticket": (lambda server: server.seal(HANDSHAKE, NEW_TICKET), "ok", State.FINISHED),
    "data": (lambda server: server.seal(DATA, b"220 hello\r\n" * 5000), "ok", State.FINISHED),
    "close_notify": (lambda server: server.seal(ALERT, b"\x01\x00"), "ok", State.OVER),
    "nonsense": (lambda _: record(DATA, bytes(99)), "ok", State.OVER),
    "foreign bytes": (lambda _: b"HTTP/1.1 400 Bad Request\r\n", "ok", State.OVER),
    "alert 116": (
        lambda server: server.seal(ALERT, b"\x02\x74"),
        "client-certificate-required",
        State.OVER,
    ),
    "alert 42": (lambda server: server.seal(ALERT, b"\x02\x2a"), "alert-42", State.OVER),
    "alert 80 after a ticket": (
        lambda server: server.seal(HANDSHAKE, NEW_TICKET) + server.seal(ALERT, b"\x02\x50"),
        "alert-80",
        State.OVER,
    ),
}


@pytest.mark.parametrize("case", AFTER)
def test_after_the_handshake_only_a_fatal_alert_is_a_failure(
    fresh: Begin, pki: Pki, case: str
) -> None:
    say, outcome, state = AFTER[case]
    machine = fresh()
    server = Scripted13(pki.ecdsa.chain, pki.ecdsa.curve_key)
    assert machine.receive(b"".join(server.flight(machine.begin().send))).state is State.FINISHED

    step = machine.receive(say(server))

    facts = machine.facts()
    assert step.state is state
    assert facts.outcome.name == outcome
    assert facts.stage is (Stage.FINISHED if outcome == "ok" else Stage.AFTER_HANDSHAKE)
    assert facts.settled


def test_a_piece_of_a_record_after_the_handshake_settles_nothing(fresh: Begin, pki: Pki) -> None:
    machine = fresh()
    server = Scripted13(pki.ecdsa.chain, pki.ecdsa.curve_key)
    machine.receive(b"".join(server.flight(machine.begin().send)))
    said = server.seal(HANDSHAKE, NEW_TICKET)

    machine.receive(said[:-1])
    before = machine.facts().settled
    machine.receive(said[-1:])

    assert not before
    assert machine.facts().settled


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_a_key_that_is_not_the_certificates_is_a_bad_signature(
    fresh: Begin, pki: Pki, version: int
) -> None:
    machine = fresh(versions=(version,))
    records = flight(version, pki, machine.begin().send, pki.other.chain)

    step = machine.receive(b"".join(records))

    facts = machine.facts()
    assert step.state is State.OVER
    assert step.send  # our alert, so that the server's log says why
    assert (facts.outcome.name, facts.stage) == ("bad-signature", Stage.CERTIFICATE)
    assert facts.chain == pki.other.chain
    assert "BAD_SIGNATURE" in (facts.detail or "")


BROKEN: dict[str, Callable[[tuple[bytes, ...]], tuple[bytes, ...]]] = {
    "leaf of another tag": lambda chain: (b"\x31" + chain[0][1:], *chain[1:]),
    "issuer of another tag": lambda chain: (chain[0], b"\x31" + chain[1][1:]),
    "bytes after the leaf": lambda chain: (chain[0] + b"\0", *chain[1:]),
    "leaf cut short": lambda chain: (chain[0][:-40], *chain[1:]),
    "empty issuer": lambda chain: (chain[0], b""),
    "point off the curve": lambda chain: (_off_the_curve(chain[0]), *chain[1:]),
}


def _off_the_curve(leaf: bytes) -> bytes:
    at = leaf.index(b"\x03\x42\x00\x04") + 10
    return leaf[:at] + bytes([leaf[at] ^ 0xFF]) + leaf[at + 1 :]


@pytest.mark.parametrize("version", [TLS12, TLS13])
@pytest.mark.parametrize("case", BROKEN)
def test_a_certificate_that_cannot_be_decoded_is_malformed(
    fresh: Begin, pki: Pki, case: str, version: int
) -> None:
    chain = BROKEN[case](pki.ecdsa.chain)
    machine = fresh(versions=(version,))

    step = machine.receive(b"".join(flight(version, pki, machine.begin().send, chain)))

    facts = machine.facts()
    assert step.state is State.OVER
    assert (facts.outcome.name, facts.stage) == ("malformed-certificate", Stage.CERTIFICATE)
    if version == TLS12:
        assert facts.chain == chain


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_a_key_that_may_not_sign_is_not_for_servers_where_the_library_looks(
    fresh: Begin, stack: Stack, version: int
) -> None:
    """BoringSSL refuses it before it looks at anything else, OpenSSL with TLS 1.2 alone."""
    leaf = server(HOST, key("p256", 2))
    leaf.change("usage", usage("keyEncipherment"))
    chain, private = (leaf.issue(leaf),), load_der_private_key(leaf.key.pkcs8, None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    machine = fresh(versions=(version,))
    sent = machine.begin().send
    old = version == TLS12
    records = plain_flight(sent, chain, private) if old else Scripted13(chain, private).flight(sent)

    step = machine.receive(b"".join(records))

    facts = machine.facts()
    if stack is Stack.OPENSSL and not old:
        assert step.state is not State.OVER
        return
    assert step.state is State.OVER
    assert (facts.outcome.name, facts.stage) == ("wrong-eku", Stage.CERTIFICATE)
    if old:
        assert facts.chain == chain


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_a_certificate_message_without_certificates_breaks_the_protocol(
    fresh: Begin, pki: Pki, version: int
) -> None:
    machine = fresh(versions=(version,))

    machine.receive(b"".join(flight(version, pki, machine.begin().send, ())))

    assert machine.facts().outcome.name == "protocol-error"
    assert machine.facts().chain is None


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_a_long_chain_is_kept_whole(fresh: Begin, pki: Pki, version: int) -> None:
    chain = (pki.ecdsa.chain[0], *[pki.ecdsa.chain[1]] * 99)
    machine = fresh(versions=(version,))

    step = machine.receive(b"".join(flight(version, pki, machine.begin().send, chain)))

    assert step.state is not State.OVER
    assert machine.facts().chain == chain


@pytest.mark.parametrize("number", [40, 80])
def test_an_encrypted_alert_in_mid_handshake_is_numbered(
    fresh: Begin, pki: Pki, number: int
) -> None:
    machine = fresh(versions=(TLS13,))
    server = Scripted13(pki.ecdsa.chain, pki.ecdsa.curve_key)
    said = server.greet(machine.begin().send) + server.seal(HANDSHAKE, server.extensions())

    machine.receive(said + server.seal(ALERT, bytes([2, number])))

    facts = machine.facts()
    assert (facts.outcome.name, facts.stage) == (f"alert-{number}", Stage.SERVER_HELLO)


def test_a_corrupted_flight_breaks_the_protocol(fresh: Begin, pki: Pki) -> None:
    machine = fresh(versions=(TLS13,))
    said = b"".join(flight(TLS13, pki, machine.begin().send))

    machine.receive(said[:-1] + bytes([said[-1] ^ 1]))

    facts = machine.facts()
    assert (facts.outcome.name, facts.stage) == ("protocol-error", Stage.CERTIFICATE)
    assert "BAD_RECORD_MAC" in (facts.detail or "")


@pytest.mark.parametrize("version", [0x0301, 0x0302])
def test_a_server_of_an_older_version_shares_none(fresh: Begin, version: int) -> None:
    machine = fresh()
    hello = server_hello(
        read_hello(machine.begin().send), 0xC013, RENEGOTIATION_INFO, version=version
    )

    machine.receive(record(HANDSHAKE, hello, version))

    assert machine.facts().outcome.name == "no-shared-version"
    assert machine.facts().stage is Stage.SERVER_HELLO
    assert machine.facts().tls_version == version


def test_a_second_retry_breaks_the_protocol(fresh: Begin) -> None:
    machine = fresh(versions=(TLS13,), groups=(29, 24), key_shares=(29,))
    hello = read_hello(machine.begin().send)
    retry = server_hello(hello, 0x1301, RETRY_EXTENSIONS).replace(RANDOM, RETRY_RANDOM)

    once = machine.receive(record(HANDSHAKE, retry))
    twice = machine.receive(record(HANDSHAKE, retry))

    assert once.state is State.WAITING
    assert read_hello(once.send[once.send.index(b"\x16\x03") :]).key_shares == (24,)
    assert twice.state is State.OVER
    assert machine.facts().outcome.name == "protocol-error"
    assert machine.facts().stage is Stage.CLIENT_HELLO


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_a_chain_of_a_megabyte_ends_in_an_outcome(fresh: Begin, pki: Pki, version: int) -> None:
    machine = fresh(versions=(version,))

    step = machine.receive(
        b"".join(flight(version, pki, machine.begin().send, pki.ecdsa.chain * 800))
    )

    assert step.state is State.OVER
    assert machine.facts().outcome.name == "protocol-error"
    assert machine.facts().stage in {Stage.SERVER_HELLO, Stage.CERTIFICATE}


def test_a_storm_of_warnings_ends_in_an_outcome(fresh: Begin) -> None:
    machine = fresh()
    machine.begin()

    step = machine.receive(alert(112, 1) * 1000)

    assert step.state is State.OVER
    assert machine.facts().outcome.name == "protocol-error"


def test_bytes_after_the_end_change_nothing(fresh: Begin) -> None:
    machine = fresh()
    machine.begin()
    machine.receive(b"no tls")
    facts = machine.facts()

    steps = machine.receive(alert(40)), machine.hang_up(HangUp.EOF)

    assert steps == ((b"", State.OVER), (b"", State.OVER))
    assert machine.facts() == facts


def test_nothing_read_changes_nothing(fresh: Begin) -> None:
    machine = fresh()
    machine.begin()

    step = machine.receive(b"")

    assert step == (b"", State.WAITING)


@pytest.mark.parametrize(
    ("said", "outcome", "stage"),
    [
        (b"\x02\x50", "alert-80", Stage.AFTER_HANDSHAKE),
        (b"\x02\x74", "client-certificate-required", Stage.AFTER_HANDSHAKE),
        (b"\x01\x00", "ok", Stage.FINISHED),
    ],
)
def test_an_alert_in_one_piece_with_the_end_of_the_handshake_is_read(
    fresh: Begin, pki: Pki, said: bytes, outcome: str, stage: Stage
) -> None:
    machine = fresh()
    server = Scripted13(pki.ecdsa.chain, pki.ecdsa.curve_key)
    flight = b"".join(server.flight(machine.begin().send))

    step = machine.receive(flight + server.seal(DATA, b"x") + server.seal(ALERT, said))

    facts = machine.facts()
    assert step.state is State.FINISHED
    assert (facts.outcome.name, facts.stage) == (outcome, stage)
    assert facts.settled
