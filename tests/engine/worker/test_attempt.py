from __future__ import annotations

import _socket
import select
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import monotonic_ns

import pytest
import trio

from stress.engine.worker import dial
from stress.engine.worker.attempt import Attempt, AttemptSpec, WorkerContext
from stress.engine.worker.poller import Poller, SelectorPoller, best_poller
from stress.engine.worker.reactor import Reactor
from stress.handshake import stack_for
from stress.model.chain import chain_hash
from stress.model.outcome import Stage
from stress.model.plan import Address, Client, Limits, Stack
from stress.model.record import Record
from tests.engine.conftest import (
    HOST,
    Behaviour,
    Serve,
    finished,
    leave,
    plain,
    reset,
    silent,
    speak,
)
from tests.servers.crooked import House
from tests.servers.hostile import endless_hello_requests
from tests.stacks import main_stack

QUICK = Limits(attempt_s=0.2, connect_s=0.2)


def worker_context(
    stack: Stack, client: Client | None = None, limits: Limits | None = None
) -> WorkerContext:
    factory = stack_for(client or Client("generic"), stack, server_name=HOST)
    return WorkerContext(
        (factory,), limits or Limits(), dial.Ports(1), reset=True, unix_offset_ns=0
    )


def attempt(address: Address, tools: WorkerContext) -> tuple[Attempt, Record]:
    one = trio.run(finished, AttemptSpec(7, monotonic_ns(), 3, address, 0, None, None, 2), tools)
    return one, one.record


@pytest.fixture(params=list(Stack))
def stack(request: pytest.FixtureRequest) -> Stack:
    return Stack(request.param)


def test_a_good_handshake_fills_every_column(
    stack: Stack, serve: Serve, tls: ssl.SSLContext
) -> None:
    address = serve(speak(tls))

    one, record = attempt(address, worker_context(stack))

    assert (record.id, record.address, record.segment, record.client) == (7, 3, 2, 0)
    assert (record.outcome, record.stage) == ("ok", Stage.FINISHED)
    assert one.chain is not None
    assert len(one.chain) == 2
    assert record.chain == chain_hash(one.chain)
    assert (record.tls_version, record.resumed) == (0x0304, False)
    assert record.cipher is not None
    assert record.key_group is not None
    assert record.bytes_received > sum(len(der) for der in one.chain)
    assert record.local_port is not None
    assert len(record.ja3s or "") == 32
    assert (record.tcp_options or "").startswith("MSS ") is (sys.platform == "linux")


def test_durations_nest_as_they_happened(stack: Stack, serve: Serve, tls: ssl.SSLContext) -> None:
    _, record = attempt(serve(speak(tls)), worker_context(stack))

    assert record.connect_ns is not None
    assert record.server_ns is not None
    assert record.handshake_ns is not None
    assert record.lag_ns is not None
    assert record.server_ns > 0
    assert record.connect_ns + record.handshake_ns <= record.total_ns
    assert record.due_ns <= record.started_ns


def test_in_tls_1_2_both_round_trips_count(stack: Stack, serve: Serve, tls: ssl.SSLContext) -> None:
    _, record = attempt(serve(speak(tls)), worker_context(stack, Client("old", versions=(0x0303,))))

    assert (record.outcome, record.tls_version) == ("ok", 0x0303)


@pytest.mark.parametrize(
    ("behaviour", "outcome", "stage"),
    [
        (silent, "timeout-handshake", Stage.CLIENT_HELLO),
        (leave, "eof", Stage.CLIENT_HELLO),
        (reset, "reset", Stage.CLIENT_HELLO),
        (plain, "not-tls", Stage.CLIENT_HELLO),
    ],
)
def test_what_the_target_does_ends_as_an_outcome(
    stack: Stack, serve: Serve, behaviour: Behaviour, outcome: str, stage: Stage
) -> None:
    _, record = attempt(serve(behaviour), worker_context(stack, limits=QUICK))

    assert (record.outcome, record.stage) == (outcome, stage)
    assert record.handshake_ns is None
    assert record.chain is None
    assert record.connect_ns is not None
    assert record.ja3s is None
    assert (record.tcp_options is not None) is (sys.platform == "linux"), "also after a RST"


def test_a_closed_port_is_refused_at_once(stack: Stack) -> None:
    """Each time it is refused; on a busy machine not each time within 10 ms."""
    tools = worker_context(stack)
    tries: list[tuple[Attempt, Record]] = []
    with socket.socket() as holder:  # bound, so that nobody else gets the port, and deaf
        holder.bind(("127.0.0.1", 0))
        address = Address(*holder.getsockname())
        while len(tries) < 10 or (len(tries) < 200 and not any(x.ended_at_once for x, _ in tries)):
            tries.append(attempt(address, tools))

    assert {(record.outcome, record.stage) for _, record in tries} == {("refused", Stage.CONNECT)}
    assert all(record.connect_ns is None for _, record in tries)
    assert {record.tcp_options for _, record in tries} == {None}, "there was no connection"
    assert any(one.ended_at_once for one, _ in tries)


@pytest.mark.parametrize(
    ("limits", "retransmits"),
    [(QUICK, None), pytest.param(Limits(connect_s=1.2), 1, marks=pytest.mark.slow)],
)
def test_a_full_accept_queue_is_a_timeout_of_the_connect(
    stack: Stack, limits: Limits, retransmits: int | None
) -> None:
    """Linux drops the SYN when the queue is full; the client sends it again after one second."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        address = Address(*server.getsockname()[:2])
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex((address.ip, address.port))

        _, record = attempt(address, worker_context(stack, limits=limits))

        for sock in waiting:
            sock.close()

    assert (record.outcome, record.stage) == ("timeout-connect", Stage.CONNECT)
    assert record.tcp_retransmits == (retransmits if sys.platform == "linux" else None)
    assert record.tcp_options is None


def test_a_demand_for_a_client_certificate_is_seen_after_the_handshake(
    stack: Stack, serve: Serve, pki: tuple[Path, bytes]
) -> None:
    """In TLS 1.3 the client has finished before the server says so."""
    strict = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    strict.load_cert_chain(pki[0])
    strict.verify_mode = ssl.CERT_REQUIRED
    strict.load_verify_locations(cadata=pki[1])

    _, record = attempt(serve(speak(strict)), worker_context(stack))

    assert record.outcome == "client-certificate-required"
    assert record.stage == Stage.AFTER_HANDSHAKE


def test_a_server_that_sends_no_tickets_is_not_waited_for_long(
    stack: Stack, serve: Serve, pki: tuple[Path, bytes]
) -> None:
    quiet = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    quiet.load_cert_chain(pki[0])
    quiet.num_tickets = 0

    one, record = attempt(serve(speak(quiet)), worker_context(stack))

    assert record.outcome == "ok"
    assert one.chain is not None


def test_a_flood_ends_at_the_byte_limit(serve: Serve) -> None:
    def flood(connection: socket.socket) -> None:
        connection.recv(4096)
        while True:
            connection.sendall(b"\x16\x03\x03\x40\x00" + bytes(16384))

    limits = replace(Limits(), connection_bytes=100_000)
    _, record = attempt(serve(flood), worker_context(Stack.OPENSSL, limits=limits))

    assert record.outcome == "protocol-error"
    assert record.bytes_received <= 120_000


def test_a_flood_that_outlives_its_deadline_is_the_targets_doing(
    serve: Serve, tmp_path: Path
) -> None:
    """Something is always unread then: that is no lag of ours."""
    house = House(tmp_path)
    limits = Limits(attempt_s=1.0, connection_bytes=1 << 40)

    _, record = attempt(
        serve(lambda connection: endless_hello_requests(connection, house)),
        worker_context(Stack.OPENSSL, limits=limits),
    )

    assert (record.outcome, record.stage) == ("timeout-handshake", Stage.SERVER_HELLO)


def test_a_cancelled_attempt_still_has_its_row(serve: Serve) -> None:
    address = serve(silent)

    ended: list[Attempt] = []
    spec = AttemptSpec(1, monotonic_ns(), 0, address, 0, None, None)
    tools = worker_context(main_stack())

    Attempt(spec, tools, ended.append).begin()
    tools.reactor.cancel()
    tools.reactor.cancel()

    record = ended.pop().record
    assert not ended
    assert (record.outcome, record.stage) == ("cancelled", Stage.CLIENT_HELLO)


def test_a_proxy_header_goes_before_the_hello(serve: Serve, tls: ssl.SSLContext) -> None:
    seen: list[bytes] = []

    def behind_proxy(connection: socket.socket) -> None:
        line = b""
        while not line.endswith(b"\r\n"):
            line += connection.recv(1)
        seen.append(line)
        speak(tls)(connection)

    address = serve(behind_proxy)
    tools = replace(worker_context(main_stack()), preamble=dial.header_v1)

    _, record = attempt(address, tools)

    assert record.outcome == "ok"
    words = seen[0].split()
    assert words[:4] == [b"PROXY", b"TCP4", b"127.0.0.1", b"127.0.0.1"]
    assert words[4:] == [str(record.local_port).encode(), str(address.port).encode()]


def test_a_reset_that_a_send_met_is_no_end_of_file(stack: Stack, serve: Serve) -> None:
    """The server resets before the hello leaves; the kernel tells that once, to the send."""
    gone = threading.Event()

    def reset_at_once(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        gone.set()

    def late(sock: _socket.socket, target: Address) -> bytes:
        assert gone.wait(10)
        return b""

    _, record = attempt(serve(reset_at_once), replace(worker_context(stack), preamble=late))

    assert record.outcome == "reset"


def test_a_large_share_of_our_own_lag_is_not_the_servers_time(
    serve: Serve, tls: ssl.SSLContext
) -> None:
    """The loop is held while the answer lies in our socket: `lag_ns` gets it, `server_ns` not."""
    hold_ns = 100_000_000
    dialled = list[_socket.socket]()
    held = threading.Event()

    def answer_once_held(connection: socket.socket) -> None:
        assert held.wait(10)
        speak(tls)(connection)

    address = serve(answer_once_held)

    async def hold_the_loop() -> None:
        while not dialled:
            await trio.lowlevel.checkpoint()
        held.set()
        assert select.select(dialled, [], [], 10)[0]  # the answer has arrived, however slowly
        until = monotonic_ns() + hold_ns
        while monotonic_ns() < until:
            pass

    def preamble(sock: _socket.socket, target: Address) -> bytes:
        dialled.append(sock)
        return b""

    async def both() -> Record:
        tools = replace(worker_context(main_stack()), preamble=preamble)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hold_the_loop)
            spec = AttemptSpec(1, monotonic_ns(), 0, address, 0, None, None)
            return (await finished(spec, tools)).record
        raise AssertionError

    record = trio.run(both)

    assert record.outcome == "ok"
    assert record.lag_ns is not None
    assert record.server_ns is not None
    assert record.handshake_ns is not None
    assert record.lag_ns >= hold_ns
    assert record.server_ns <= record.handshake_ns - hold_ns


LARGE = 6_000_000
"""More than the buffers of both sockets hold."""


def large_preamble(sock: _socket.socket, target: Address) -> bytes:
    return bytes(LARGE)


@pytest.mark.parametrize("poller", [best_poller, SelectorPoller])
def test_what_cannot_leave_at_once_leaves_in_parts(
    serve: Serve, tls: ssl.SSLContext, poller: Callable[[], Poller]
) -> None:
    def slow_reader(connection: socket.socket) -> None:
        left = LARGE
        while left:
            left -= len(connection.recv(min(left, 65_536)))
        speak(tls)(connection)

    address = serve(slow_reader)
    tools = replace(
        worker_context(main_stack()), preamble=large_preamble, reactor=Reactor(poller())
    )

    _, record = attempt(address, tools)

    assert (record.outcome, record.stage) == ("ok", Stage.FINISHED)
    assert record.handshake_ns is not None


@pytest.mark.parametrize("poller", [best_poller, SelectorPoller])
def test_a_server_that_never_reads_times_out(serve: Serve, poller: Callable[[], Poller]) -> None:
    over = threading.Event()

    def deaf(connection: socket.socket) -> None:
        over.wait(10)

    address = serve(deaf)
    tools = replace(
        worker_context(main_stack(), limits=QUICK),
        preamble=large_preamble,
        reactor=Reactor(poller()),
    )

    _, record = attempt(address, tools)
    over.set()

    assert (record.outcome, record.stage) == ("timeout-handshake", Stage.CLIENT_HELLO)


@pytest.mark.parametrize("poller", [best_poller, SelectorPoller])
def test_urgent_data_hides_nothing(
    serve: Serve, tls: ssl.SSLContext, poller: Callable[[], Poller]
) -> None:
    """A read ends at the urgent mark, also when more stands behind it (tcp(7))."""

    def urgent(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"\x16\x03\x03")
        connection.send(b"!", socket.MSG_OOB)
        connection.sendall(b"\x00\x04\x01\x00\x00\x00")  # a record with a message of another kind
        connection.recv(4096)

    tools = replace(worker_context(main_stack(), limits=QUICK), reactor=Reactor(poller()))

    _, record = attempt(serve(urgent), tools)

    assert record.outcome == "protocol-error"
    assert record.bytes_received == 9
