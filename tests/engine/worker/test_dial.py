from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import trio

from stress.engine.worker import dial
from stress.model.outcome import Category
from stress.model.target import Address


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def address_of(server: socket.socket) -> Address:
    return Address(*server.getsockname()[:2])


@pytest.mark.parametrize(
    ("number", "from_socket", "category"),
    [
        (errno.ECONNREFUSED, True, Category.REFUSED),
        (errno.ECONNREFUSED, False, Category.REFUSED),
        (errno.ETIMEDOUT, True, Category.TIMEOUT_CONNECT),
        (errno.ECONNRESET, True, Category.RESET),
        (errno.EHOSTUNREACH, True, Category.UNREACHABLE),
        (errno.ENETUNREACH, True, Category.UNREACHABLE),
        (errno.ENETUNREACH, False, Category.LOCAL_NETWORK),
        (errno.EHOSTUNREACH, False, Category.LOCAL_NETWORK),
        (errno.EPERM, False, Category.LOCAL_NETWORK),
        (errno.EAFNOSUPPORT, False, Category.LOCAL_NETWORK),
        (errno.EADDRNOTAVAIL, False, Category.LOCAL_PORTS),
        (errno.EADDRINUSE, False, Category.LOCAL_PORTS),
        (errno.EMFILE, False, Category.LOCAL_FILES),
        (errno.ENFILE, False, Category.LOCAL_FILES),
        (errno.ENOBUFS, False, Category.LOCAL_MEMORY),
        (errno.ENOMEM, False, Category.LOCAL_MEMORY),
    ],
)
def test_an_errno_counts_by_whose_word_it_is(
    number: int, from_socket: bool, category: Category
) -> None:
    error = dial.judge_errno(OSError(number, "x"), from_socket=from_socket)

    assert error.outcome.category is category
    assert error.detail == errno.errorcode[number]


def test_a_connection_opens_from_the_port_we_bound(listener: socket.socket) -> None:
    async def connect() -> tuple[int, int]:
        sock, port, connected = dial.begin(address_of(listener), None, dial.Ports(seed=1))
        with sock:
            if not connected:
                await dial.finish(sock)
            return port, sock.getsockname()[1]

    told, real = trio.run(connect)

    assert told == real


def test_a_closed_port_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = address_of(server)

    with pytest.raises(dial.DialError) as caught:
        dial.begin(address, None, dial.Ports(seed=1))

    assert caught.value.outcome.category is Category.REFUSED


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a full queue refuses")
def test_a_connection_that_is_under_way_is_not_taken_for_open() -> None:
    """A full accept queue lets the SYN wait."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        begun = [dial.begin(address_of(server), None, dial.Ports(seed=1)) for _ in range(3)]
        for sock, _, _ in begun:
            stack.enter_context(sock)

    assert [connected for _, _, connected in begun] == [True, False, False]


@pytest.mark.skipif(sys.platform != "linux", reason="loopback of Linux answers within connect()")
def test_over_loopback_a_connection_is_open_at_once(listener: socket.socket) -> None:
    """No turn of the event loop, and so none of our own lag, is in its `connect_ns`."""
    sock, _, connected = dial.begin(address_of(listener), None, dial.Ports(seed=1))

    with sock:
        assert connected


def test_a_source_that_is_not_ours_is_our_own_failure(listener: socket.socket) -> None:
    with pytest.raises(dial.DialError) as caught:
        dial.begin(address_of(listener), "192.0.2.77", dial.Ports(seed=1))

    assert caught.value.outcome.category is Category.LOCAL_PORTS


def test_taken_ports_are_passed_over_until_none_is_left(listener: socket.socket) -> None:
    """A listener without SO_REUSEADDR keeps its port from being bound again."""
    holders = [socket.socket() for _ in range(2)]
    for holder in holders:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
    taken = sorted(holder.getsockname()[1] for holder in holders)
    ports = dial.Ports(seed=1, span=(taken[0], taken[0]))

    with pytest.raises(dial.DialError) as caught:
        dial.begin(address_of(listener), "127.0.0.1", ports)

    for holder in holders:
        holder.close()
    assert caught.value.outcome.category is Category.LOCAL_PORTS


def test_workers_share_the_range_without_overlap_and_in_both_parities() -> None:
    span = (40_000, 40_999)
    drawn = []
    for worker in range(3):
        ports = dial.Ports(seed=4, worker=worker, workers=3, span=span)
        drawn.append([next(ports._order) for _ in range(333)])

    everything = [port for mine in drawn for port in mine]
    assert len(set(everything)) == len(everything)
    assert {port % 2 for port in drawn[0]} == {0, 1}
    assert all(span[0] <= port <= span[1] for port in everything)


def test_a_reset_close_reaches_the_peer_as_a_reset(listener: socket.socket) -> None:
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()

    dial.close(client, reset=True)

    with server, pytest.raises(ConnectionResetError):
        server.recv(1)


def test_an_ordinary_close_reaches_the_peer_as_end_of_file(listener: socket.socket) -> None:
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()

    dial.close(client, reset=False)

    with server:
        assert server.recv(1) == b""
