"""A replay of failures that only a load brings about, at servers that are real."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import Behaviour, Serve, pki, serve, tls

__all__ = ["pki", "serve", "tls"]


def places(context: ssl.SSLContext, most: list[int]) -> Behaviour:
    """Hold `most[0]` connections as long as the client likes, and reset further ones."""
    lock, opened = threading.Lock(), [0]

    def behaviour(connection: socket.socket) -> None:
        with lock:
            full = opened[0] >= most[0]
            opened[0] += not full
        if full:
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            return
        try:
            with context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(1)
        finally:
            with lock:
                opened[0] -= 1

    return behaviour


@pytest.mark.long
@pytest.mark.slow
def test_what_fails_while_connections_are_held_is_replayed_with_them_held(
    ask: Any, serve: Serve, tls: ssl.SSLContext, tmp_path: Path
) -> None:
    most = [6]
    address = serve(places(tls, most))
    words = ("-n", "120", "--rate", "30", "--hold", "500ms", "--policy", "none", "--name", "full")
    ask("run", address, *words, "--results", tmp_path, "-q")

    still = ask("replay", "full", "--results", tmp_path, "--json")
    most[0] = 1_000
    mended = ask("replay", "full", "--results", tmp_path, "--json")

    found = json.loads(still.out)
    assert (still.code, found["answer"]) == (1, "follows")
    assert "120 handshakes, 30/s, each held 500 ms" in found["how"]
    assert (mended.code, json.loads(mended.out)["answer"]) == (0, "gone")
