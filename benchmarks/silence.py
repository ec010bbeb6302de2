"""A server that accepts and never says a word: it keeps handshakes in flight, at no cost.

Run as a program it prints its port and serves until its standard input ends.
"""

from __future__ import annotations

import resource
import selectors
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

BACKLOG = 4096


@contextmanager
def silent_port() -> Iterator[int]:
    """The port of such a server, in a process of its own that ends with the block."""
    command = [sys.executable, "-m", "benchmarks.silence"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        try:
            yield int(child.stdout.readline())
        finally:
            child.terminate()


def serve() -> None:
    """Accept, keep, forget what the other side closed."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as listener:
        listener.settimeout(0)
        print(listener.getsockname()[1], flush=True)
        waiting = selectors.DefaultSelector()
        waiting.register(listener, selectors.EVENT_READ)
        waiting.register(sys.stdin, selectors.EVENT_READ)
        while _serve_once(waiting, listener):
            pass


def _serve_once(waiting: selectors.BaseSelector, listener: socket.socket) -> bool:
    for key, _ in waiting.select():
        if key.fileobj is sys.stdin:
            return False
        if key.fileobj is listener:
            connection, _ = listener.accept()
            waiting.register(connection, selectors.EVENT_READ)
        else:
            _listen(waiting, key.fileobj)
    return True


def _listen(waiting: selectors.BaseSelector, connection: object) -> None:
    """Read and forget; forget the connection too when the other side is gone."""
    assert isinstance(connection, socket.socket)
    try:
        gone = not connection.recv(65536)
    except ConnectionError:
        gone = True
    if gone:
        waiting.unregister(connection)
        connection.close()


if __name__ == "__main__":
    serve()
