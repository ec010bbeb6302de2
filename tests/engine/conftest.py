"""Servers for the engine's tests: real sockets on loopback, one behaviour each."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio
from cryptography.hazmat.primitives.serialization import Encoding

from stress.engine.worker.attempt import Attempt, AttemptSpec, WorkerContext
from stress.errors import RecordError
from stress.lab.site import Authority, LeafSpec, issue, key_pem
from stress.model.chain import Chain, Verdict
from stress.model.observer import Observer
from stress.model.plan import Address, Client, Close, Load, Plan, Target, Trust
from stress.model.record import Record
from stress.model.run import Progress
from stress.model.transcript import Transcript
from tests.stacks import main_stack

HOST = "engine.test"
Behaviour = Callable[[socket.socket], None]
Serve = Callable[[Behaviour], Address]


class Watch(Observer):
    """Calls a function with the progress of a run; what it returns stops the run."""

    def __init__(self, function: Callable[[Progress], str | None]) -> None:
        self._function = function

    def on_progress(self, progress: Progress) -> str | None:
        return self._function(progress)


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A PEM file with chain and key for HOST, and the root as DER."""
    now = datetime.now(UTC)
    authority = Authority.make(now)
    leaf = issue(authority.intermediate("Engine Intermediate", now), LeafSpec((HOST,)), now)
    path = tmp_path_factory.mktemp("pki") / "server.pem"
    chain = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in leaf.full)
    path.write_bytes(chain + key_pem(leaf.key))
    return path, ssl.PEM_cert_to_DER_cert(authority.pem.decode())


@pytest.fixture(scope="session")
def tls(pki: tuple[Path, bytes]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki[0])
    return context


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server with the given behaviour for each connection; returns its address."""
    with ExitStack() as stack:

        def start(behaviour: Behaviour) -> Address:
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=512))
            threading.Thread(target=_accept, args=(server, behaviour), daemon=True).start()
            return Address(*server.getsockname()[:2])

        yield start


def _accept(server: socket.socket, behaviour: Behaviour) -> None:
    with suppress(OSError):
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_treat, args=(connection, behaviour), daemon=True).start()


def _treat(connection: socket.socket, behaviour: Behaviour) -> None:
    connection.settimeout(10)
    with connection, suppress(OSError):
        behaviour(connection)


def speak(context: ssl.SSLContext) -> Behaviour:
    """Shake hands, then wait for the client to leave."""

    def behaviour(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(1)

    return behaviour


def silent(connection: socket.socket) -> None:
    """Never answer."""
    while connection.recv(4096):
        pass


def leave(connection: socket.socket) -> None:
    """Read the hello, then close."""
    connection.recv(4096)


def reset(connection: socket.socket) -> None:
    """Read the hello, then reset."""
    connection.recv(4096)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def plain(connection: socket.socket) -> None:
    """Speak HTTP without TLS."""
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    connection.recv(4096)


async def finished(
    spec: AttemptSpec, context: WorkerContext, kind: type[Attempt] = Attempt
) -> Attempt:
    """One attempt from its begin to its end, driven by the reactor of its context."""
    over = trio.Event()
    one = kind(spec, context, lambda _: over.set())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(context.reactor.run)
        one.begin()
        await over.wait()
        nursery.cancel_scope.cancel()
    return one


class Book:
    """A sink that keeps everything in memory and fails on demand."""

    def __init__(self, fail_after: int | None = None) -> None:
        self.addresses: list[Address] = []
        self.chains: list[tuple[Chain, list[Verdict]]] = []
        self.records: list[Record] = []
        self.transcripts: list[Transcript] = []
        self.started = 0
        self._fail_after = fail_after

    def add_address(self, index: int, address: Address) -> None:
        assert index == len(self.addresses)
        self.addresses.append(address)

    def add_chain(self, chain: Chain, verdicts: Sequence[Verdict]) -> None:
        self.chains.append((chain, list(verdicts)))

    def add_records(self, records: Sequence[Record]) -> None:
        known = {chain.sha256 for chain, _ in self.chains}
        assert all(record.chain in known for record in records if record.chain is not None)
        if self._fail_after is not None and len(self.records) >= self._fail_after:
            raise RecordError("the disk is full")
        self.records += records

    def add_transcripts(self, transcripts: Sequence[Transcript]) -> None:
        taken = {record.id for record in self.records}
        assert all(each.record.id in taken for each in transcripts)
        self.transcripts += transcripts

    def commit(self, started: int) -> None:
        assert started >= self.started
        self.started = started

    @property
    def outcomes(self) -> Counter[str]:
        return Counter(record.outcome for record in self.records)


def plan_for(address: Address, root: bytes, **load: object) -> Plan:
    """A plan for HOST at this address, judged against the root."""
    return Plan(
        Target(HOST, address.port),
        (address,),
        (Client("generic"),),
        Load(**load),  # type: ignore[arg-type]  # the caller knows the fields
        trust=Trust(host=HOST, anchors=(root,), anchors_from="test", private=True),
        server_name=HOST,
        stack=main_stack(),
        close=Close.RST,
    )
