"""The server's end of one connection against a client of another library, over real sockets.

Below, the ClientHello as the server reads it: from a real library, and from nobody.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Awaitable, Callable

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL

from stress.lab.blueprint import Identity
from stress.lab.node import Hello, ServerSession, record_size, server_context
from stress.lab.site import Site
from tests.lab.client import PLAIN, Attempt, Kind, Seen

Handler = Callable[[ServerSession], Awaitable[object]]


@pytest.fixture
def good(site: Site) -> Identity:
    return Identity((site.shown("good.pem").file,))


def connect(site: Site, handler: Handler, kind: Kind = PLAIN) -> Seen:
    """Connect a client to a session with this handler; returns what the client saw."""
    front = site.front()
    listener = socket.socket(fileno=front.descriptor)

    async def serve() -> None:
        await trio.lowlevel.wait_readable(listener.fileno())
        peer, _ = listener.accept()
        peer.settimeout(0)
        with peer:
            await handler(ServerSession(peer))

    async def both() -> Seen:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            return await Attempt(front.address, kind, kind.context()).run()

    try:
        return trio.run(both)
    finally:
        listener.detach()


@pytest.mark.parametrize("best", [SSL.TLS1_3_VERSION, SSL.TLS1_2_VERSION])
def test_a_client_gets_its_handshake_and_its_page(site: Site, good: Identity, best: int) -> None:
    context = server_context(good)

    async def serve(session: ServerSession) -> None:
        assert await session.handshake(context, await session.hello())
        await session.answer_requests()

    seen = connect(site, serve, Kind(best=best))

    assert seen.outcome == "ok"
    assert seen.version == {SSL.TLS1_3_VERSION: "TLSv1.3", SSL.TLS1_2_VERSION: "TLSv1.2"}[best]


def test_a_hello_of_many_bytes_is_read_to_its_end(site: Site, good: Identity) -> None:
    context, sizes = server_context(good), []

    async def serve(session: ServerSession) -> None:
        first = await session.hello()
        sizes.append(len(first))
        assert await session.handshake(context, first)
        await session.answer_requests()

    assert connect(site, serve, Kind(padding=10_000)).outcome == "ok"
    assert sizes[0] > 10_000


def test_a_client_without_a_common_suite_gets_an_alert(site: Site, good: Identity) -> None:
    context, results = server_context(good), []

    async def serve(session: ServerSession) -> None:
        results.append(await session.handshake(context, await session.hello()))

    seen = connect(site, serve, Kind(best=SSL.TLS1_2_VERSION, ciphers=b"aRSA"))

    assert seen.outcome.endswith("alert handshake failure")
    assert results == [False]


def test_a_reset_is_a_reset_and_a_close_is_an_end(site: Site) -> None:
    async def reset(session: ServerSession) -> None:
        await session.hello()
        session.reset()

    async def close(session: ServerSession) -> None:
        await session.hello()

    assert connect(site, reset).outcome == "reset"
    assert connect(site, close).outcome == "eof"


@pytest.mark.slow
def test_silence_comes_after_the_server_hello(site: Site, good: Identity) -> None:
    context = server_context(good)

    async def serve(session: ServerSession) -> None:
        await session.fall_silent(context, await session.hello())

    seen = connect(site, serve, Kind(timeout_s=0.3))

    assert (seen.outcome, seen.chain) == ("timeout", None)


def test_a_client_that_leaves_at_once_ends_the_session_silently(site: Site) -> None:
    received = []
    ours, theirs = socket.socketpair()
    ours.settimeout(0)
    with ours:
        theirs.sendall(b"\x16\x03\x01\x02\x00half")
        theirs.close()

        async def listen() -> None:
            received.append(await ServerSession(ours).hello())

        trio.run(listen)

    assert received == [b""]


@pytest.mark.parametrize(
    "junk", [b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 100, b"\x16\x03\x01\x00\x01\x01"]
)
def test_what_is_no_tls_fails_the_handshake_and_nothing_else(
    site: Site, good: Identity, junk: bytes
) -> None:
    ours, theirs = socket.socketpair()
    ours.settimeout(0)
    with ours, theirs:
        theirs.shutdown(socket.SHUT_WR)

        async def serve() -> bool:
            return await ServerSession(ours).handshake(server_context(good), junk)

        assert trio.run(serve) is False


def test_a_key_that_is_not_there_is_refused(site: Site) -> None:
    with pytest.raises(SSL.Error):
        server_context(Identity((str(site.ca_file),)))


def first_flight(
    best: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    name: str | None = "www.lab.test",
    protocols: int = 0,
) -> bytes:
    """The first flight of the standard library's client."""
    settings = ssl.create_default_context()
    settings.check_hostname = name is not None
    settings.maximum_version = best
    if protocols:
        settings.set_alpn_protocols(["x" * 200] * protocols)
    outgoing = ssl.MemoryBIO()
    end = settings.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        end.do_handshake()
    return outgoing.read()


HELLO = first_flight()


@pytest.mark.parametrize(
    ("best", "version"),
    [(ssl.TLSVersion.TLSv1_3, 0x0304), (ssl.TLSVersion.TLSv1_2, 0x0303)],
)
def test_the_best_version_is_what_the_client_can_do(best: ssl.TLSVersion, version: int) -> None:
    assert Hello.read(first_flight(best)).best_version == version


@pytest.mark.parametrize("name", ["www.lab.test", "a.test", None])
def test_the_name_is_the_one_that_was_sent(name: str | None) -> None:
    assert Hello.read(first_flight(name=name)).server_name == name


def test_the_size_is_that_of_the_record() -> None:
    data = first_flight(protocols=10)

    assert Hello.read(data).size == len(data) == record_size(data) > 2_000


@pytest.mark.parametrize(
    "data", [b"", b"\x16", b"\x16\x03\x01\x00\x05hello", b"GET / HTTP/1.1\r\n"]
)
def test_what_is_no_hello_keeps_the_defaults(data: bytes) -> None:
    assert Hello.read(data) == Hello(record_size(data))


@given(st.binary(max_size=600))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    Hello.read(data)


@given(st.integers(0, 500), st.integers(0, 255))
def test_no_damage_to_a_hello_breaks_the_reader(at: int, value: int) -> None:
    data = bytearray(HELLO)
    data[at % len(data)] = value
    Hello.read(bytes(data))
    Hello.read(HELLO[:at])
