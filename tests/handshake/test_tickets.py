"""The session ticket of a handshake is read through both TLS stacks, and begins with a key name."""

from __future__ import annotations

import ssl
from contextlib import closing

import pytest

from stress.handshake import HandshakeMachine, KeyLog, stack_for
from stress.handshake.keylog import read_ticket
from stress.handshake.wire import Wire
from stress.model.plan import Client, Stack
from tests.handshake.ends import HOST, Cut, Pki, Server, shake, single_bytes, whole

TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
NAME = 16
"""OpenSSL's names; one for each context of a server."""


def finished(
    stack: Stack, server: Server, log: KeyLog | None, *, reads: bool = True, cut: Cut = whole
) -> HandshakeMachine:
    machine = stack_for(Client("test"), stack, server_name=HOST, key_log=log).machine()
    machine.reads_ticket = reads
    shake(machine, server, cut)
    return machine


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3], ids=str)
@pytest.mark.parametrize("cut", [whole, single_bytes])
def test_tickets_of_one_server_begin_alike_and_of_another_differently(
    stack: Stack, pki: Pki, version: ssl.TLSVersion, cut: Cut
) -> None:
    one, other = Server(pki.ecdsa).only(version), Server(pki.ecdsa).only(version)
    with closing(KeyLog()) as log:
        begins = []
        for context in (one.context, one.context, other.context):
            server = Server(pki.ecdsa)
            server.context = context
            ticket = finished(stack, server, log, cut=cut).ticket()
            assert ticket is not None
            begins.append((ticket[:NAME], ticket))

    assert begins[0][0] == begins[1][0] != begins[2][0]
    assert begins[0][1] != begins[1][1]


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3], ids=str)
def test_without_tickets_there_is_none(stack: Stack, pki: Pki, version: ssl.TLSVersion) -> None:
    server = Server(pki.ecdsa).only(version)
    server.context.options |= ssl.OP_NO_TICKET
    server.context.num_tickets = 0
    with closing(KeyLog()) as log:
        assert finished(stack, server, log).ticket() is None


def test_a_ticket_that_nobody_wants_costs_nothing(stack: Stack, pki: Pki) -> None:
    with closing(KeyLog()) as log:
        server = Server(pki.ecdsa).only(TLS_1_3)

        assert finished(stack, server, log, reads=False).ticket() is None


@pytest.mark.boringssl
def test_boringssl_needs_the_key_log_for_it(pki: Pki) -> None:
    machine = finished(Stack.BORINGSSL, Server(pki.ecdsa).only(TLS_1_3), None)

    assert machine.ticket() is None


def test_the_secret_of_tickets_is_given_once_and_never_among_the_lines() -> None:
    with closing(KeyLog()) as log:
        log.write(b"SERVER_TRAFFIC_SECRET_0 aa 0102")

        assert log.lines(b"\xaa") == ()
        assert log.of_tickets(b"\xaa") == b"\1\2"
        assert log.of_tickets(b"\xaa") is None


@pytest.mark.parametrize("body", [b"", b"\0" * 5, b"\0" * 6, b"\0\0\0\0\0\x09abc"])
def test_a_malformed_ticket_is_none(body: bytes) -> None:
    wire = Wire()
    wire.feed(b"\x16\x03\x03" + (len(body) + 4).to_bytes(2) + b"\4" + len(body).to_bytes(3) + body)

    assert wire.ticket is None


def test_what_does_not_decrypt_or_has_an_unknown_suite_holds_none() -> None:
    record = b"\x17\x03\x03\0\x20" + bytes(32)

    assert read_ticket(record, 0x1301, bytes(32)) is None
    assert read_ticket(record, 0x1399, bytes(32)) is None
