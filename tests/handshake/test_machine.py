"""The conformance suite: every case runs through both TLS libraries."""

from __future__ import annotations

import gc
import ssl

import pytest

from stress.handshake import HandshakeMachine, HangUp, State, stack_for
from stress.handshake.hello import read_hello
from stress.model.outcome import Stage
from stress.model.plan import Client, Stack
from tests.handshake.conftest import Begin
from tests.handshake.ends import HOST, Cut, Identity, Pki, Server, shake, single_bytes, whole
from tests.handshake.scripted import DATA, HANDSHAKE, alert, message, record

TLS12, TLS13 = (0x0303,), (0x0304,)
ENGINES = {"HandshakeMachine", "BoringEngine", "OpenEngine"}
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def ended(machine: HandshakeMachine) -> tuple[str, Stage]:
    facts = machine.facts()
    return facts.outcome.name, facts.stage


@pytest.mark.parametrize("version", [V12, V13], ids=str)
@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
@pytest.mark.parametrize("cut", [whole, single_bytes])
def test_a_good_handshake_tells_what_was_agreed(
    fresh: Begin, pki: Pki, kind: str, version: ssl.TLSVersion, cut: Cut
) -> None:
    identity: Identity = getattr(pki, kind)
    machine = fresh()

    step = shake(machine, Server(identity).only(version), cut)

    facts = machine.facts()
    assert step.state is State.FINISHED
    assert facts.outcome.name == "ok"
    assert facts.stage is Stage.FINISHED
    assert facts.chain == identity.chain
    assert facts.tls_version == version
    assert facts.key_group == 29
    assert facts.resumed is False
    assert facts.hello_retry is False
    assert facts.detail is None
    assert facts.settled  # in TLS 1.3 by the tickets


def test_a_finished_tls13_handshake_is_settled_by_what_follows_only(fresh: Begin, pki: Pki) -> None:
    machine, server = fresh(), Server(pki.ecdsa)
    step = machine.receive(server.answer(machine.begin().send))
    finished = machine.facts()
    tickets = server.answer(step.send)

    after = machine.receive(tickets)

    assert step.state is State.FINISHED
    assert not finished.settled
    assert after.state is State.FINISHED
    assert machine.facts() == finished._replace(settled=True)


def test_suites_and_groups_are_read_from_the_wire(fresh: Begin, pki: Pki) -> None:
    server = Server(pki.rsa).only(V12)
    server.context.set_ciphers("AES128-GCM-SHA256")
    machine = fresh()

    shake(machine, server)

    assert machine.facts().cipher == 0x009C
    assert machine.facts().key_group is None


def test_a_hello_retry_request_is_answered_and_its_group_reported(fresh: Begin, pki: Pki) -> None:
    server = Server(pki.ecdsa)
    server.context.set_ecdh_curve("secp384r1")
    machine = fresh()

    step = shake(machine, server)

    assert step.state is State.FINISHED
    assert machine.facts().key_group == 24
    assert machine.facts().hello_retry is True
    assert machine.facts().stage is Stage.FINISHED


def test_a_connection_lost_after_hello_retry_request_is_still_at_the_client_hello(
    fresh: Begin, pki: Pki
) -> None:
    server = Server(pki.ecdsa)
    server.context.set_ecdh_curve("secp384r1")
    machine = fresh()
    machine.receive(server.answer(machine.begin().send))

    machine.hang_up(HangUp.EOF)

    assert ended(machine) == ("eof", Stage.CLIENT_HELLO)


@pytest.mark.parametrize(("offered", "taken"), [(("h2", "http/1.1"), "http/1.1"), ((), None)])
def test_alpn_is_reported(
    fresh: Begin, pki: Pki, offered: tuple[str, ...], taken: str | None
) -> None:
    server = Server(pki.ecdsa)
    server.context.set_alpn_protocols(["http/1.1"])
    machine = fresh(alpn=offered)

    shake(machine, server)

    assert machine.facts().alpn == taken


@pytest.mark.parametrize(
    ("host", "sends", "seen"),
    [
        (HOST, True, HOST),
        (HOST + ".", True, HOST + "."),
        (HOST, False, None),
        (None, True, None),
        ("192.0.2.1", True, None),
        ("2001:db8::1", True, None),
    ],
)
def test_the_name_is_sent_as_dns_would_have_it_or_not_at_all(
    stack: Stack, host: str | None, seen: str | None, *, sends: bool
) -> None:
    client = Client("test", server_name=sends)

    hello = read_hello(stack_for(client, stack, server_name=host).machine().begin().send)

    assert hello.server_name == seen


def test_a_certificate_request_in_tls13_fails_after_the_handshake(fresh: Begin, pki: Pki) -> None:
    machine = fresh()

    step = shake(machine, Server(pki.ecdsa).demanding(pki.root_file))

    assert step.state is State.OVER
    assert ended(machine) == ("client-certificate-required", Stage.AFTER_HANDSHAKE)
    assert machine.facts().detail == "alert 116 certificate_required received"
    assert machine.facts().chain == pki.ecdsa.chain


def test_a_certificate_request_in_tls12_ends_the_handshake(fresh: Begin, pki: Pki) -> None:
    machine = fresh()

    shake(machine, Server(pki.ecdsa).only(V12).demanding(pki.root_file))

    assert ended(machine) == ("client-certificate-required", Stage.CERTIFICATE)
    assert machine.facts().chain == pki.ecdsa.chain


def test_no_common_version_is_named(fresh: Begin, pki: Pki) -> None:
    for client, server in ((TLS12, V13), (TLS13, V12)):
        machine = fresh(versions=client)

        shake(machine, Server(pki.ecdsa).only(server))

        assert ended(machine) == ("no-shared-version", Stage.CLIENT_HELLO)


def test_no_common_suite_is_named(fresh: Begin, pki: Pki) -> None:
    server = Server(pki.rsa).only(V12)
    server.context.set_ciphers("AES128-SHA256")
    machine = fresh(cipher_suites=(0xC02B,), versions=TLS12)

    shake(machine, server)

    assert ended(machine) == ("no-shared-cipher", Stage.CLIENT_HELLO)


def test_a_refused_name_is_the_servers_alert(fresh: Begin, pki: Pki) -> None:
    server = Server(pki.ecdsa)
    server.context.sni_callback = lambda *_: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    machine = fresh()

    shake(machine, server)

    assert ended(machine) == ("alert-112", Stage.CLIENT_HELLO)


ANSWERS = {
    "plain http": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not-tls", Stage.CLIENT_HELLO),
    "ssh banner": (b"SSH-2.0-OpenSSH_9.2\r\n", "not-tls", Stage.CLIENT_HELLO),
    "one foreign byte": (b"2", "not-tls", Stage.CLIENT_HELLO),
    "zeros": (bytes(20), "not-tls", Stage.CLIENT_HELLO),
    "odd major version": (b"\x16\x04\x00\x00\x04abcd", "not-tls", Stage.CLIENT_HELLO),
    "alert 40": (alert(40), "no-shared-cipher", Stage.CLIENT_HELLO),
    "alert 71": (alert(71), "no-shared-cipher", Stage.CLIENT_HELLO),
    "alert 70": (alert(70), "no-shared-version", Stage.CLIENT_HELLO),
    "alert 80": (alert(80), "alert-80", Stage.CLIENT_HELLO),
    "alert 112": (alert(112), "alert-112", Stage.CLIENT_HELLO),
    "alert 116": (alert(116), "client-certificate-required", Stage.CLIENT_HELLO),
    "unassigned alert": (alert(99), "alert-99", Stage.CLIENT_HELLO),
    "close_notify": (alert(0, 1), "alert-0", Stage.CLIENT_HELLO),
    "why it closes": (alert(90, 1) + alert(0, 1), "alert-90", Stage.CLIENT_HELLO),
    "odd alert level": (alert(40, 7), "protocol-error", Stage.CLIENT_HELLO),
    "application data": (record(DATA, b"hi"), "protocol-error", Stage.CLIENT_HELLO),
    "record too long": (b"\x16\x03\x03\xff\xff" + bytes(99), "protocol-error", Stage.CLIENT_HELLO),
    "done before hello": (
        record(HANDSHAKE, message(14, b"")),
        "protocol-error",
        Stage.CLIENT_HELLO,
    ),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_an_answer_that_is_no_handshake_is_named(fresh: Begin, case: str) -> None:
    answer, outcome, stage = ANSWERS[case]
    machine = fresh()
    machine.begin()

    step = machine.receive(answer)

    assert step.state is State.OVER
    assert ended(machine) == (outcome, stage)
    assert machine.facts().detail


def test_what_is_no_tls_is_quoted_in_ascii(fresh: Begin) -> None:
    machine = fresh()
    machine.begin()

    machine.receive(b"\x1b[31mno\n")

    assert machine.facts().detail == r"first bytes '\x1b[31mno\n'"


def test_a_long_quotation_is_cut(fresh: Begin) -> None:
    machine = fresh()
    machine.begin()

    machine.receive(b"<" + b"\xff" * 60)

    assert machine.facts().detail == "first bytes '<" + r"\xff" * 18 + r"\x" + "'..."


def test_a_machine_leaves_nothing_for_the_garbage_collector(fresh: Begin, pki: Pki) -> None:
    gc.collect()
    gc.disable()
    try:
        for ending in (HangUp.EOF, HangUp.CANCEL):
            good, bad = fresh(), fresh()
            shake(good, Server(pki.ecdsa))
            good.hang_up(ending)
            bad.receive(alert(40) if bad.begin().send else b"")
        del good, bad
        left = [each for each in gc.get_objects() if type(each).__name__ in ENGINES]
    finally:
        gc.enable()

    assert left == []


def test_facts_cannot_be_changed(fresh: Begin) -> None:
    facts = fresh().facts()

    with pytest.raises(AttributeError):
        facts.detail = "other"  # type: ignore[misc] # that is the point
