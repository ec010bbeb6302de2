"""A node that may reset handshakes, with TCP options of its own; several may share one port."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from tests.servers.certificates import Certificates

HEARD = 4096
HEADER = 5
PATIENCE_S = 30.0


class ResettingNode:
    """A TLS server in a thread, that resets some of its handshakes after its ServerHello.

    Args:
        port: where it listens, together with others (`SO_REUSEPORT`); 0: where there is room.
        resets: of so many handshakes the last is reset; 0: none is.
        stalls: it says nothing more instead, and keeps the connection open.
        options: of its TCP, as for `setsockopt`, by name.
    """

    def __init__(
        self,
        certificates: Certificates,
        port: int = 0,
        *,
        resets: int = 0,
        stalls: bool = False,
        options: Mapping[str, int] | None = None,
        tickets: bool = True,
    ) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificates.full, certificates.key)
        if not tickets:
            self._context.options |= ssl.OP_NO_TICKET
        self._resets, self._stalls = resets, stalls
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        for name, value in (options or {}).items():
            level = socket.IPPROTO_TCP if name.startswith("TCP_") else socket.SOL_SOCKET
            self._listener.setsockopt(level, getattr(socket, name), value)
        self._listener.bind(("127.0.0.1", port))
        self._listener.listen(256)
        self.port: int = self._listener.getsockname()[1]
        self.met = self.failed = 0
        """Connections so far, and those that were reset or left alone."""
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for each in (self._listener, *self._open):
            each.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # it was shut down
                return
            connection.settimeout(PATIENCE_S)
            with contextlib.suppress(OSError, ssl.SSLError):
                self._answer(connection)
                continue
            connection.close()

    def _answer(self, connection: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._context.wrap_bio(incoming, outgoing, server_side=True)
        first = True
        while True:
            data = connection.recv(HEARD)
            if not data:  # a knock
                connection.close()
                return
            incoming.write(data)
            try:
                tls.do_handshake()
                finished = True
            except ssl.SSLWantReadError:
                finished = False
            said = outgoing.read()
            if first and said:
                first = False
                self.met += 1
                if self._resets and self.met % self._resets == 0:
                    self._fail(connection, said[: HEADER + int.from_bytes(said[3:5])])
                    return
            connection.sendall(said)
            if finished:
                connection.close()
                return

    def _fail(self, connection: socket.socket, server_hello: bytes) -> None:
        self.failed += 1
        connection.sendall(server_hello)
        if self._stalls:
            self._open.append(connection)
            return
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
