"""An attempt that asks for TLS first, against a real TLS server behind a dialogue of ours."""

from __future__ import annotations

import select
import socket
import ssl
import struct
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from time import monotonic_ns

import pytest
import trio

from stress.dialogues.proxies import ProxyCredentials, ProxyDialogue
from stress.engine.worker import dial
from stress.engine.worker.attempt import Attempt, AttemptSpec, Opening, WorkerContext
from stress.engine.worker.dialogue_attempt import DialogueAttempt, openings
from stress.engine.worker.schedule import Sessions
from stress.engine.worker.transcript_sampler import TranscriptSampler
from stress.handshake import KeyLog, stack_for
from stress.model.outcome import Stage
from stress.model.plan import Address, Client, Limits, Plan, ProxyScheme, Stack, StartTls, Target
from stress.model.record import Flag, Record
from tests.dialogues.conversations import GOOD, LAST
from tests.engine.conftest import HOST, Behaviour, Serve, finished

SMTP = GOOD[StartTls.SMTP]


def worker_context(
    stack: Stack, protocol: StartTls = StartTls.SMTP, limits: Limits | None = None
) -> WorkerContext:
    factory = stack_for(Client("generic"), stack, server_name=HOST)
    return WorkerContext(
        (factory,),
        limits or Limits(),
        dial.Ports(1),
        reset=True,
        unix_offset_ns=0,
        dialogues=openings(Plan(Target(HOST), (), (), starttls=protocol)),
    )


def attempt(address: Address, context: WorkerContext) -> Record:
    spec = AttemptSpec(7, monotonic_ns(), 3, address, 0, None, None, 2)
    return trio.run(partial(finished, kind=DialogueAttempt), spec, context).record


def whole(says: bytes) -> list[bytes]:
    return [says]


def octets(says: bytes) -> list[bytes]:
    return [says[n : n + 1] for n in range(len(says))]


def server(
    tls: ssl.SSLContext,
    protocol: StartTls,
    pieces: Callable[[bytes], Iterable[bytes]] = whole,
) -> Behaviour:
    """A server that speaks, then shakes hands."""

    def behave(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for sent, says in GOOD[protocol]:
            if sent:
                connection.recv(4096)
            for piece in pieces(says):
                connection.sendall(piece)
        last = LAST.get(protocol, b"")
        if last:
            assert connection.recv(len(last), socket.MSG_WAITALL) == last
        with tls.wrap_socket(connection, server_side=True) as secure:
            secure.recv(1)

    return behave


@pytest.fixture(params=list(Stack))
def stack(request: pytest.FixtureRequest) -> Stack:
    return Stack(request.param)


@pytest.mark.parametrize("protocol", list(StartTls), ids=str)
@pytest.mark.parametrize("pieces", [whole, octets])
def test_each_protocol_leads_to_a_handshake(
    stack: Stack,
    protocol: StartTls,
    pieces: Callable[[bytes], Iterable[bytes]],
    serve: Serve,
    tls: ssl.SSLContext,
) -> None:
    address = serve(server(tls, protocol, pieces))

    record = attempt(address, worker_context(stack, protocol))

    assert (record.outcome, record.stage) == ("ok", Stage.FINISHED), record.detail
    assert record.chain is not None
    assert record.starttls_ns is not None
    assert record.connect_ns is not None
    assert record.server_ns is not None
    assert record.handshake_ns is not None
    parts = record.connect_ns + record.starttls_ns + record.handshake_ns
    assert parts <= record.total_ns
    assert record.before_tls_ns == record.connect_ns + record.starttls_ns


def test_the_dialogue_has_a_time_of_its_own(serve: Serve, tls: ssl.SSLContext) -> None:
    """The server thinks before its go-ahead; that is no part of its TLS."""
    thought_ns: list[int] = []

    def think(says: bytes) -> Iterable[bytes]:
        begin_ns = monotonic_ns()
        for _ in range(200_000):
            pass
        thought_ns.append(monotonic_ns() - begin_ns)
        return [says]

    record = attempt(serve(server(tls, StartTls.SMTP, think)), worker_context(Stack.OPENSSL))

    assert record.starttls_ns is not None
    assert record.server_ns is not None
    # It may begin to think at its accept, before our own process sees that the connection is open.
    assert record.starttls_ns >= sum(thought_ns[1:])
    assert record.before_tls_ns >= sum(thought_ns)
    assert record.target_ns >= record.starttls_ns


def talks(
    *says: bytes, then: Callable[[socket.socket], object] = lambda one: one.recv(9)
) -> Behaviour:
    """Say one thing after each thing that the client says, the first unasked."""

    def behave(connection: socket.socket) -> None:
        for number, each in enumerate(says):
            if number:
                connection.recv(4096)
            connection.sendall(each)
        then(connection)

    return behave


def abort(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize(
    ("behave", "outcome", "words"),
    [
        (talks(b"554 no\r\n"), "starttls-refused", "554 no"),
        (talks(b"220 x\r\n", b"250 x\r\n"), "starttls-not-offered", "not offer"),
        (talks(b"* OK\r\n"), "protocol-error", "* OK"),
        (talks(b"220 x\r\n", then=lambda one: one.recv(4096)), "eof", None),
        (talks(b"220 x\r\n", then=abort), "reset", None),
        (
            talks(*(says for _, says in SMTP[:2]), SMTP[2][1] + b"250 more\r\n"),
            "protocol-error",
            "10 bytes in clear text behind the go-ahead",
        ),
    ],
)
def test_what_does_not_lead_to_tls_ends_at_its_stage(
    stack: Stack, behave: Behaviour, outcome: str, words: str | None, serve: Serve
) -> None:
    record = attempt(serve(behave), worker_context(stack))

    assert record.outcome == outcome
    assert record.stage == Stage.STARTTLS
    assert (record.server_ns, record.starttls_ns, record.handshake_ns) == (None, None, None)
    if words is not None:
        assert words in (record.detail or "")


def test_a_silent_server_runs_into_the_limit(stack: Stack, serve: Serve) -> None:
    address = serve(talks(b"220-x\r\n"))

    record = attempt(address, worker_context(stack, limits=Limits(attempt_s=0.2)))

    assert (record.outcome, record.stage) == ("timeout-handshake", Stage.STARTTLS)
    assert record.server_ns is None


def test_silence_after_the_go_ahead_is_silence_of_tls(stack: Stack, serve: Serve) -> None:
    address = serve(
        talks(*(says for _, says in SMTP), then=lambda one: one.recv(9999) and one.recv(9))
    )

    record = attempt(address, worker_context(stack, limits=Limits(attempt_s=1.0)))

    assert (record.outcome, record.stage) == ("timeout-handshake", Stage.CLIENT_HELLO)
    assert record.starttls_ns is not None
    assert record.server_ns is None


def test_clear_text_after_the_hello_is_no_tls(stack: Stack, serve: Serve) -> None:
    address = serve(talks(*(says for _, says in SMTP), b"421 changed my mind\r\n"))

    record = attempt(address, worker_context(stack))

    assert (record.outcome, record.stage) == ("not-tls", Stage.CLIENT_HELLO)
    assert "421 changed" in (record.detail or "")


def test_a_proxy_header_comes_before_everything(serve: Serve, tls: ssl.SSLContext) -> None:
    headers: list[bytes] = []

    def behave(connection: socket.socket) -> None:
        header = b""
        while not header.endswith(b"\r\n"):
            header += connection.recv(1)
        headers.append(header)
        server(tls, StartTls.SMTP)(connection)

    context = replace(worker_context(Stack.OPENSSL), preamble=dial.preamble("v1"))
    record = attempt(serve(behave), context)

    assert record.outcome == "ok"
    assert headers[0].startswith(b"PROXY TCP4 127.0.0.1 127.0.0.1 ")


def test_sessions_resume_behind_a_dialogue(serve: Serve, tls: ssl.SSLContext) -> None:
    address = serve(server(tls, StartTls.SMTP))
    factory = stack_for(Client("old", versions=(0x0303,)), Stack.OPENSSL, server_name=HOST)
    context = replace(
        worker_context(Stack.OPENSSL), factories=(factory,), sessions=Sessions(1.0, 1, seed=1)
    )

    rows = [attempt(address, context) for _ in range(2)]

    assert [row.resumed for row in rows] == [False, True]
    assert [row.offered for row in rows] == [False, True]


def test_the_transcript_has_the_dialogue(serve: Serve, tls: ssl.SSLContext) -> None:
    sampler = TranscriptSampler(5, 1_000_000, KeyLog())
    context = replace(worker_context(Stack.OPENSSL), sampler=sampler)

    attempt(serve(server(tls, StartTls.SMTP)), context)

    (kept,) = sampler.collect()
    sent = b"".join(flight.data for flight in kept.flights if flight.sent)
    read = b"".join(flight.data for flight in kept.flights if not flight.sent)
    assert sent.startswith(b"EHLO [127.0.0.1]\r\nSTARTTLS\r\n\x16\x03\x01")
    assert read.startswith(b"".join(says for _, says in SMTP) + b"\x16\x03\x03")


def test_a_lagging_client_blames_itself(serve: Serve) -> None:
    """The greeting lies in our own socket when the deadline passes."""
    address = serve(talks(b"220 x\r\n"))

    async def overdue() -> Record:
        over = trio.Event()
        spec = AttemptSpec(7, monotonic_ns(), 3, address, 0, None, None, 2)
        one: Attempt = DialogueAttempt(spec, worker_context(Stack.OPENSSL), lambda _: over.set())
        one.begin()
        select.select([one._sock], [], [])
        one.on_overdue()
        await over.wait()
        return one.record

    record = trio.run(overdue)

    assert (record.outcome, record.stage) == ("local-lag", Stage.STARTTLS)
    assert not record.flags & Flag.WARM_UP


def reads_until(connection: socket.socket, end: bytes) -> bytes:
    said = b""
    while not said.endswith(end):
        said += connection.recv(1)
    return said


def test_through_a_proxy_the_header_is_for_the_target_and_the_secret_is_not_kept(
    serve: Serve, tls: ssl.SSLContext
) -> None:
    asked: list[bytes] = []

    def behave(connection: socket.socket) -> None:
        asked.append(reads_until(connection, b"\r\n\r\n"))
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        asked.append(reads_until(connection, b"\r\n"))
        server(tls, StartTls.SMTP)(connection)

    peer = serve(behave)
    plan = Plan(Target(HOST), (), (), starttls=StartTls.SMTP)
    credentials = ProxyCredentials.parse("jane:s3cret")
    opening = Opening(Stage.PROXY, ProxyDialogue(ProxyScheme.HTTP, credentials))
    key_log = KeyLog()
    sampler = TranscriptSampler(5, 1_000_000, key_log)
    context = replace(
        worker_context(Stack.OPENSSL),
        factories=(stack_for(Client("generic"), Stack.OPENSSL, server_name=HOST, key_log=key_log),),
        proxy=peer,
        dialogues=(opening, *openings(plan)),
        preamble=dial.preamble("v1"),
        sampler=sampler,
    )

    record = attempt(Address("192.0.2.7", 465), context)

    assert (record.outcome, record.stage) == ("ok", Stage.FINISHED), record.detail
    assert asked[0].startswith(b"CONNECT 192.0.2.7:465 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic amFuZTpzM2NyZXQ=\r\n" in asked[0]
    assert asked[1].startswith(b"PROXY TCP4 127.0.0.1 192.0.2.7 ")
    assert record.connect_ns is not None
    assert record.proxy_ns is not None
    assert record.starttls_ns is not None
    assert record.before_tls_ns == record.connect_ns + record.proxy_ns + record.starttls_ns
    assert record.tcp_options is None, "they are the proxy's"
    assert record.ja3s is not None, "it is the server's"
    (kept,) = sampler.collect()
    sent = b"".join(flight.data for flight in kept.flights if flight.sent)
    assert b"Proxy-Authorization: Basic ***\r\n" in sent
    assert b"amFu" not in sent
    assert (str(kept.address), kept.peer) == ("192.0.2.7:465", peer)
    assert kept.secrets  # of a handshake that something came before


def test_a_proxy_that_is_down_is_not_the_target(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        peer = Address("127.0.0.1", taken.getsockname()[1])
    opening = Opening(Stage.PROXY, ProxyDialogue(ProxyScheme.SOCKS5, None))
    context = replace(worker_context(stack), proxy=peer, dialogues=(opening,))

    record = attempt(Address("app.example.com", 443), context)

    assert (record.outcome, record.stage) == ("proxy-failed", Stage.CONNECT)
    assert record.detail == "the proxy's address refused the connection (ECONNREFUSED)"
