from __future__ import annotations

import errno
import random
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from ipaddress import ip_address
from itertools import pairwise

import pytest

from stress.engine.worker import dial
from stress.model.outcome import Category
from stress.model.plan import Address


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
    error = dial.judge_errno(number, from_socket=from_socket)

    assert error.outcome.category is category
    assert error.detail == errno.errorcode[number]


def test_a_connection_opens_from_the_port_we_bound(listener: socket.socket) -> None:
    sock, port, connected = dial.begin(address_of(listener), None, dial.Ports(seed=1))

    with closing(sock):
        assert connected
        assert dial.is_open(sock)
        assert sock.getsockname()[1] == port


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
            stack.callback(sock.close)

    assert [connected for _, _, connected in begun] == [True, False, False]


@pytest.mark.skipif(sys.platform != "linux", reason="loopback of Linux answers within connect()")
def test_over_loopback_a_connection_is_open_at_once(listener: socket.socket) -> None:
    """No turn of the event loop, and so none of our own lag, is in its `connect_ns`."""
    sock, _, connected = dial.begin(address_of(listener), None, dial.Ports(seed=1))

    with closing(sock):
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
    ports = dial.Ports(seed=1, span=range(taken[0], taken[0] + 1))

    with pytest.raises(dial.DialError) as caught:
        dial.begin(address_of(listener), "127.0.0.1", ports)

    for holder in holders:
        holder.close()
    assert caught.value.outcome.category is Category.LOCAL_PORTS


def test_ports_come_in_random_order_and_then_in_the_same_again() -> None:
    drawn = dial.in_random_order(list(range(1_000)), random.Random(1))
    first, second = ([next(drawn) for _ in range(1_000)] for _ in range(2))

    assert sorted(first) == list(range(1_000))
    assert second == first
    # Of a random order about half are below their predecessor, and few stay at their place.
    assert 400 < sum(b < a for a, b in pairwise(first)) < 600
    assert sum(place == port for place, port in enumerate(first)) < 10


def test_workers_share_the_range_without_overlap_and_in_both_parities() -> None:
    span = range(40_000, 41_000)
    drawn = []
    for worker in range(3):
        ports = dial.Ports(seed=4, worker=worker, workers=3, span=span)
        drawn.append([next(ports._order) for _ in range(333)])

    everything = [port for mine in drawn for port in mine]
    assert len(set(everything)) == len(everything)
    assert {port % 2 for port in drawn[0]} == {0, 1}
    assert set(everything) <= set(span)


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


def connected(family: socket.AddressFamily, host: str) -> tuple[socket.socket, Address]:
    with socket.create_server((host, 0), family=family) as server:
        address = Address(*server.getsockname()[:2])
        return socket.create_connection((address.ip, address.port)), address


@pytest.mark.parametrize(
    ("family", "host", "word"),
    [(socket.AF_INET, "127.0.0.1", "TCP4"), (socket.AF_INET6, "::1", "TCP6")],
)
def test_version_1_is_one_line_that_names_both_ends(
    family: socket.AddressFamily, host: str, word: str
) -> None:
    client, address = connected(family, host)

    with client:
        line = dial.header_v1(client, address)

        port = client.getsockname()[1]
    assert line == f"PROXY {word} {host} {host} {port} {address.port}\r\n".encode()


@pytest.mark.parametrize(
    ("family", "host", "kind"),
    [(socket.AF_INET, "127.0.0.1", 0x11), (socket.AF_INET6, "::1", 0x21)],
)
def test_version_2_packs_both_ends(family: socket.AddressFamily, host: str, kind: int) -> None:
    client, address = connected(family, host)

    with client:
        header = dial.header_v2(client, address)

        port = client.getsockname()[1]
    packed = ip_address(host).packed
    assert header[:12] == bytes.fromhex("0d0a0d0a000d0a515549540a")
    assert header[12:14] == bytes([0x21, kind])
    assert int.from_bytes(header[14:16], "big") == len(header) - 16
    assert header[16:] == packed * 2 + port.to_bytes(2, "big") + address.port.to_bytes(2, "big")


def test_no_header_is_made_where_none_is_wanted() -> None:
    assert dial.preamble(None) is None
    assert dial.preamble("v1") is dial.header_v1
