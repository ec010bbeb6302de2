"""A session of one handshake shortens a later one, through both TLS stacks."""

from __future__ import annotations

import ssl
from collections.abc import Callable

import pytest

from stress.handshake import MachineFactory, Session, State, stack_for
from stress.handshake.machine import HandshakeMachine
from stress.model.outcome import OK, Category, Stage
from stress.model.plan import Client, Stack
from tests.handshake.ends import HOST, Pki, Server, shake, single_bytes, whole

TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
VERSIONS = [TLS_1_2, TLS_1_3]
Ready = Callable[..., "Pair"]


class Pair:
    """A factory of clients, and a server that remembers between connections."""

    def __init__(self, factory: MachineFactory, pki: Pki, context: ssl.SSLContext) -> None:
        self.factory, self.pki, self.context = factory, pki, context
        self.open: list[Server] = []
        """OpenSSL forgets the session of a connection that goes without a goodbye."""

    def connect(
        self, session: Session | None = None, context: ssl.SSLContext | None = None
    ) -> HandshakeMachine:
        server = Server(self.pki.ecdsa)
        server.context = context or self.context
        self.open.append(server)
        machine = self.factory.machine(session)
        assert shake(machine, server).state is State.FINISHED
        return machine


def server_context(pki: Pki, version: ssl.TLSVersion) -> ssl.SSLContext:
    return Server(pki.ecdsa).only(version).context


@pytest.fixture
def ready(stack: Stack, pki: Pki) -> Ready:
    def make(version: ssl.TLSVersion, *, tickets: bool = True) -> Pair:
        context = server_context(pki, version)
        if not tickets:
            context.options |= ssl.OP_NO_TICKET
            context.num_tickets = 0
        return Pair(stack_for(Client("test"), stack, server_name=HOST), pki, context)

    return make


def session_of(machine: HandshakeMachine) -> Session:
    session = machine.session()
    assert session is not None
    return session


def skip_without_tickets(stack: Stack, version: ssl.TLSVersion) -> None:
    if stack is Stack.BORINGSSL and version is TLS_1_3:
        pytest.skip("utls keeps no TLS 1.3 tickets")


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_a_resumed_handshake_is_good_and_shows_no_certificates(
    ready: Ready, stack: Stack, version: ssl.TLSVersion
) -> None:
    skip_without_tickets(stack, version)
    pair = ready(version)
    first = pair.connect()
    second = pair.connect(session_of(first))
    facts = second.facts()

    assert first.facts().resumed is False
    assert first.facts().chain is not None
    assert (facts.outcome, facts.stage, facts.resumed) == (OK, Stage.FINISHED, True)
    assert facts.chain is None
    assert facts.cipher == first.facts().cipher


def test_a_session_id_is_as_good_as_a_ticket(ready: Ready) -> None:
    pair = ready(TLS_1_2, tickets=False)

    assert pair.connect(session_of(pair.connect())).facts().resumed is True


@pytest.mark.parametrize(("version", "reusable"), [(TLS_1_2, True), (TLS_1_3, False)], ids=str)
def test_a_session_says_whether_it_may_be_offered_again(
    ready: Ready, stack: Stack, version: ssl.TLSVersion, reusable: bool
) -> None:
    skip_without_tickets(stack, version)

    assert session_of(ready(version).connect()).reusable is reusable


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_each_resumed_handshake_leaves_the_next_session(
    ready: Ready, stack: Stack, version: ssl.TLSVersion
) -> None:
    skip_without_tickets(stack, version)
    pair = ready(version)
    machine = pair.connect()
    for _ in range(3):
        machine = pair.connect(session_of(machine))

        assert machine.facts().resumed is True


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_a_server_that_forgot_gets_a_full_handshake(
    ready: Ready, stack: Stack, pki: Pki, version: ssl.TLSVersion
) -> None:
    """The chain is shown then, though it is the same as the session's."""
    skip_without_tickets(stack, version)
    pair = ready(version)
    machine = pair.connect(session_of(pair.connect()), server_context(pki, version))

    assert machine.facts().resumed is False
    assert machine.facts().chain == pki.ecdsa.chain


@pytest.mark.boringssl
def test_boringssl_has_nothing_to_offer_after_tls13(pki: Pki) -> None:
    factory = stack_for(Client("test"), Stack.BORINGSSL, server_name=HOST)

    assert Pair(factory, pki, server_context(pki, TLS_1_3)).connect().session() is None


def test_without_a_ticket_tls13_has_nothing_to_offer(ready: Ready) -> None:
    assert ready(TLS_1_3, tickets=False).connect().session() is None


def test_there_is_no_session_before_the_handshake_has_finished(ready: Ready) -> None:
    machine = ready(TLS_1_2).factory.machine()
    machine.begin()

    assert machine.session() is None


@pytest.mark.parametrize("version", VERSIONS, ids=str)
@pytest.mark.parametrize("cut", [whole, single_bytes])
def test_the_chain_of_an_offered_session_is_not_taken_for_the_server_s(
    ready: Ready, stack: Stack, version: ssl.TLSVersion, cut: Callable[[bytes], list[bytes]]
) -> None:
    """A server that refuses at once has shown no certificate, whatever the library remembers."""
    skip_without_tickets(stack, version)
    pair = ready(version)
    machine = pair.factory.machine(session_of(pair.connect()))
    machine.begin()
    for piece in cut(b"\x15\x03\x03\x00\x02\x02\x50"):
        machine.receive(piece)
    facts = machine.facts()

    assert facts.outcome.category is Category.ALERT
    assert (facts.stage, facts.chain, facts.resumed) == (Stage.CLIENT_HELLO, None, None)
