"""What every poller promises, whatever the system offers: one suite for all of them."""

from __future__ import annotations

import select
import socket
import struct
import sys
from collections.abc import Iterator

import pytest

from stress.engine.worker.poller import (
    READABLE,
    WRITABLE,
    EpollPoller,
    Poller,
    SelectorPoller,
    best_poller,
)

KINDS = [SelectorPoller, EpollPoller] if sys.platform == "linux" else [SelectorPoller]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def poller(request: pytest.FixtureRequest) -> Iterator[Poller]:
    made: Poller = request.param()
    yield made
    made.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A TCP connection over loopback: ours, which does not block, and theirs."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname()[:2])
        theirs, _ = server.accept()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def wait(poller: Poller) -> dict[int, int]:
    """The events that wait, at last when the poller itself becomes readable."""
    assert select.select([poller.fileno()], [], [], 5)[0], "the poller never became readable"
    return dict(poller.ready(0))


def is_silent(poller: Poller) -> bool:
    return not select.select([poller.fileno()], [], [], 0)[0] and poller.ready(0) == []


def test_bytes_make_a_socket_readable_and_nothing_more(
    poller: Poller, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    poller.watch(ours.fileno(), READABLE)
    assert is_silent(poller)

    theirs.send(b"answer")

    assert wait(poller) == {ours.fileno(): READABLE}
    assert ours.recv(100) == b"answer"
    assert is_silent(poller)


def test_what_is_ready_already_is_reported_too(
    poller: Poller, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    theirs.send(b"early")
    select.select([ours], [], [], 5)

    poller.watch(ours.fileno(), READABLE)

    assert wait(poller) == {ours.fileno(): READABLE}


def test_a_change_reports_again_what_is_ready(
    poller: Poller, pair: tuple[socket.socket, socket.socket]
) -> None:
    """What came while we waited to send must not be lost."""
    ours, theirs = pair
    poller.watch(ours.fileno(), WRITABLE)
    assert wait(poller) == {ours.fileno(): WRITABLE}
    theirs.send(b"meanwhile")
    select.select([ours], [], [], 5)

    poller.change(ours.fileno(), READABLE)

    assert wait(poller) == {ours.fileno(): READABLE}


@pytest.mark.parametrize("end", ["fin", "rst", "urgent"])
def test_what_stands_behind_the_bytes_is_found_by_reading_on(
    poller: Poller, pair: tuple[socket.socket, socket.socket], end: str
) -> None:
    """A plain `READABLE` and a short read promise an empty socket; here one of the two is off."""
    ours, theirs = pair
    poller.watch(ours.fileno(), READABLE)
    theirs.send(b"last words")
    if end == "urgent":
        theirs.send(b"!", socket.MSG_OOB)
        theirs.send(b" and more")
    if end == "rst":
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if end != "urgent":
        theirs.close()
    got, ended = b"", False
    while not ended and got != b"last words and more":
        bits, more = wait(poller)[ours.fileno()], True
        while more and not ended:
            try:
                data = ours.recv(100)
            except BlockingIOError:
                break
            except ConnectionResetError:
                data = b""
            got, ended, more = got + data, not data, bits != READABLE

    assert ended == (end != "urgent")
    assert end == "rst" or got.startswith(b"last words")


def test_a_refused_connection_is_writable(poller: Poller) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()[:2]
    with socket.socket() as sock:
        sock.setblocking(False)
        sock.connect_ex(address)
        poller.watch(sock.fileno(), WRITABLE)

        assert wait(poller)[sock.fileno()] & WRITABLE
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


@pytest.mark.parametrize("closing", [True, False])
def test_what_was_forgotten_is_silent_and_its_number_free(
    poller: Poller, pair: tuple[socket.socket, socket.socket], closing: bool
) -> None:
    ours, theirs = pair
    number = ours.fileno()
    poller.watch(number, READABLE)
    theirs.send(b"late")

    poller.forget(number, closing=closing)
    if closing:
        ours.close()

    assert is_silent(poller)
    first, second = socket.socketpair()
    with first, second:
        second.send(b"new")
        poller.watch(first.fileno(), READABLE)
        assert wait(poller) == {first.fileno(): READABLE}


def test_the_best_poller_of_linux_is_epoll() -> None:
    made = best_poller()
    made.close()

    assert type(made) is KINDS[-1]
