"""Where the time of one handshake goes: its parts, each measured alone.

Processor time of this thread only, around our own calls: the server's end of the joined handshake
and nginx are not counted.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from statistics import median
from time import thread_time_ns

from benchmarks.clients import Aim
from stress.handshake import State, stack_for
from stress.model.plan import Client, Stack
from tests.servers.certificates import HOST

REPEATS = 400
NO_TLS = b"this is not a ClientHello" + bytes(500)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a handshake."""

    what: str
    us: float
    """Median processor time, microseconds."""


def measure_parts(aim: Aim) -> Sequence[Part]:
    """The parts that can be measured alone; the event loop and the record are the rest."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(aim.certificates.full, aim.certificates.key)
    factory = stack_for(Client("generic"), Stack.BORINGSSL, server_name=HOST)

    def in_memory() -> int:
        machine = factory.machine()
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = context.wrap_bio(incoming, outgoing, server_side=True)
        begin = thread_time_ns()
        step = machine.begin()
        spent = thread_time_ns() - begin
        while step.state is State.WAITING:
            incoming.write(step.send)
            with suppress(ssl.SSLWantReadError):
                server.do_handshake()
            answer = outgoing.read()
            begin = thread_time_ns()
            step = machine.receive(answer)
            spent += thread_time_ns() - begin
        begin = thread_time_ns()
        chain = machine.facts().chain
        sha256(b"".join(chain or ())).digest()
        return spent + thread_time_ns() - begin

    def on_the_wire() -> int:
        begin = thread_time_ns()
        with socket.create_connection(("127.0.0.1", aim.port)) as connection:
            connection.sendall(NO_TLS)
            with suppress(ConnectionError):
                while connection.recv(65536):
                    pass
        return thread_time_ns() - begin

    return (
        Part("the TLS library, fed and read along by us, and the chain's hash", _median(in_memory)),
        Part("the kernel: connect, send, receive, close, once each", _median(on_the_wire)),
    )


def _median(measured: Callable[[], int]) -> float:
    return median(measured() for _ in range(REPEATS)) / 1e3
