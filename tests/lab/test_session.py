"""The server's end of one connection against a client of another make, over real sockets."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable

import pytest
import trio
from OpenSSL import SSL

from stress.lab import session
from stress.lab.blueprint import Identity
from stress.lab.session import ServerSession
from stress.lab.site import Site
from tests.lab.client import PLAIN, Attempt, Kind, Seen

Handler = Callable[[ServerSession], Awaitable[object]]


@pytest.fixture
def good(site: Site) -> Identity:
    return site.show("good", site.leaf()).identity


def meet(site: Site, handler: Handler, kind: Kind = PLAIN) -> Seen:
    """Let a client meet a session that is handled so, and tell what the client saw."""
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
    made = session.context(good)

    async def serve(talk: ServerSession) -> None:
        assert await talk.handshake(made, await talk.hello())
        await talk.answer_requests()

    seen = meet(site, serve, Kind(best=best))

    assert seen.outcome == "ok"
    assert seen.version == {SSL.TLS1_3_VERSION: "TLSv1.3", SSL.TLS1_2_VERSION: "TLSv1.2"}[best]


def test_a_hello_of_many_bytes_is_read_to_its_end(site: Site, good: Identity) -> None:
    made, sizes = session.context(good), []

    async def serve(talk: ServerSession) -> None:
        first = await talk.hello()
        sizes.append(len(first))
        assert await talk.handshake(made, first)
        await talk.answer_requests()

    assert meet(site, serve, Kind(padding=10_000)).outcome == "ok"
    assert sizes[0] > 10_000


def test_a_client_that_shares_no_suite_is_told_so(site: Site, good: Identity) -> None:
    made, ended = session.context(good), []

    async def serve(talk: ServerSession) -> None:
        ended.append(await talk.handshake(made, await talk.hello()))

    seen = meet(site, serve, Kind(best=SSL.TLS1_2_VERSION, ciphers=b"aRSA"))

    assert seen.outcome.endswith("alert handshake failure")
    assert ended == [False]


def test_a_reset_is_a_reset_and_a_close_is_an_end(site: Site) -> None:
    async def reset(talk: ServerSession) -> None:
        await talk.hello()
        talk.reset()

    async def close(talk: ServerSession) -> None:
        await talk.hello()

    assert meet(site, reset).outcome == "reset"
    assert meet(site, close).outcome == "eof"


@pytest.mark.slow
def test_silence_comes_after_the_server_hello(site: Site, good: Identity) -> None:
    made = session.context(good)

    async def serve(talk: ServerSession) -> None:
        await talk.fall_silent(made, await talk.hello())

    seen = meet(site, serve, Kind(timeout_s=0.3))

    assert (seen.outcome, seen.chain) == ("timeout", None)


def test_a_client_that_leaves_at_once_ends_the_session_without_a_word(site: Site) -> None:
    heard = []
    ours, theirs = socket.socketpair()
    ours.settimeout(0)
    with ours:
        theirs.sendall(b"\x16\x03\x01\x02\x00half")
        theirs.close()

        async def listen() -> None:
            heard.append(await ServerSession(ours).hello())

        trio.run(listen)

    assert heard == [b""]


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
            return await ServerSession(ours).handshake(session.context(good), junk)

        assert trio.run(serve) is False


def test_a_key_that_is_not_there_is_refused(site: Site) -> None:
    with pytest.raises(SSL.Error):
        session.context(Identity((str(site.ca_file),)))
