"""The server's end of one TLS connection: an accepted socket and OpenSSL on memory BIOs.

All bytes pass through this module, so that a node can read the ClientHello before the TLS library
does (a fault is decided first) and stop in the middle of a flight. Nothing that the client does is
an error here: the session just ends.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

import trio
from OpenSSL import SSL

from stress.errors import UsageError
from stress.handshake.hello import read_hello
from stress.lab.blueprint import Identity, Tickets

RECORD_HEADER = 5
CHUNK = 65_536
HTTP = b"http/1.1"
PATIENCE_S = 300.0
"""A connection is closed after this time, which bounds what a farm keeps open."""
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 15\r\n"
    b"X-Served-By: NAME\r\nConnection: close\r\n\r\ntls-stress lab\n"
)


@dataclass(frozen=True, slots=True)
class Hello:
    """The little of a ClientHello that faults depend on; what cannot be read stays at its default.

    Only the first record counts: a middlebox that looks at one packet does no better.
    """

    size: int
    """Bytes of its record, header included."""
    best_version: int = 0
    """The highest TLS version offered, as wire number."""
    server_name: str | None = None

    @classmethod
    def read(cls, data: bytes) -> Hello:
        """Read the first record."""
        size = record_size(data)
        try:
            hello = read_hello(data[:size])
        except UsageError:
            return cls(size)
        real = (version for version in hello.versions if version >> 8 == 0x03)  # without GREASE
        return cls(size, max(real, default=0), hello.server_name)


def record_size(data: bytes) -> int:
    """Bytes of the whole first record, as its header says; of the header alone if unknown."""
    if len(data) < RECORD_HEADER:
        return RECORD_HEADER
    return RECORD_HEADER + int.from_bytes(data[3:5], "big")


def server_context(identity: Identity, tickets: Tickets = Tickets.OWN) -> SSL.Context:
    """A server context for TLS 1.2 and 1.3 with the given certificates.

    Raises:
        SSL.Error: a file is missing or holds no chain and key that fit together.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    # Every client that supports ECDSA gets the ECDSA certificate, whatever it prefers.
    context.set_options(SSL.OP_CIPHER_SERVER_PREFERENCE)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    if tickets not in {Tickets.OWN, Tickets.SHARED}:
        context.set_options(SSL.OP_NO_TICKET)
    if tickets in {Tickets.CACHE, Tickets.NAMELESS}:
        context.set_session_cache_mode(SSL.SESS_CACHE_SERVER)
        context.set_session_id(b"lab")
    if tickets is Tickets.NAMELESS:
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
    if identity.alpn:
        context.set_alpn_select_callback(
            lambda _, offered: HTTP if HTTP in offered else SSL.NO_OVERLAPPING_PROTOCOLS
        )
    for file in identity.files:
        context.use_certificate_chain_file(file)
        context.use_privatekey_file(file)
    if identity.client_ca is not None:
        context.load_verify_locations(identity.client_ca)
        required = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
        context.set_verify(required, lambda *verified: bool(verified[-1]))
    return context


class ServerSession:
    """One accepted connection, from its first byte to its end. The caller closes the socket."""

    def __init__(
        self, peer: socket.socket, name: str = "", sealing: SSL.Context | None = None
    ) -> None:
        """Take an accepted connection.

        Args:
            peer: its socket.
            name: of the node, for the header `X-Served-By` of what it answers.
            sealing: whose key seals session tickets; None: that of the node's own context.
        """
        self._peer, self._name, self._sealing = peer, name, sealing
        self._tls: SSL.Connection | None = None

    async def hello(self) -> bytes:
        """Read until the ClientHello's record is complete; empty when the client has gone."""
        data = await self.hear()
        while data and len(data) < record_size(data):
            more = await self.hear()
            if not more:
                return b""
            data += more
        return data

    async def handshake(self, context: SSL.Context, first: bytes) -> bool:
        """Go through the handshake, from the client's first bytes; False when it failed."""
        tls = self._accept(context)
        data = first
        while data:
            tls.bio_write(data)
            try:
                tls.do_handshake()
            except SSL.WantReadError:
                await self._flush(tls)
                data = await self.hear()
            except SSL.Error:
                await self._flush(tls)  # our alert: the client should learn why
                return False
            else:
                await self._flush(tls)
                return True
        return False

    async def answer_requests(self) -> None:
        """Answer each request with a short page, until the client leaves."""
        tls = self._tls
        assert tls is not None, "requests come after the handshake"
        try:
            while True:
                # First what came together with the client's Finished, then what comes later.
                try:
                    tls.recv(CHUNK)
                    tls.sendall(RESPONSE.replace(b"NAME", self._name.encode()))
                    tls.shutdown()
                except SSL.WantReadError:
                    data = await self.hear()
                    if not data:
                        return
                    tls.bio_write(data)
                except SSL.Error:  # an alert or close_notify
                    return
                await self._flush(tls)
        finally:
            # Else the library takes the session out of its cache, as that of a broken connection.
            tls.set_shutdown(SSL.SENT_SHUTDOWN)

    async def fall_silent(self, context: SSL.Context, first: bytes) -> None:
        """Send the ServerHello alone, then wait until the client gives up."""
        tls = self._accept(context)
        tls.bio_write(first)
        try:
            tls.do_handshake()
        except SSL.WantReadError:
            await self._flush(tls, one_record=True)
        except SSL.Error:
            return
        while await self.hear():
            pass

    def reset(self) -> None:
        """Make the coming close send RST instead of FIN."""
        self._peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _accept(self, context: SSL.Context) -> SSL.Connection:
        # Subtle: certificates are those of the context that is set last, but tickets are sealed by
        # the first one (`session_ctx` in ssl_lib.c).
        self._tls = SSL.Connection(self._sealing or context, None)
        if self._sealing is not None:
            self._tls.set_context(context)
        self._tls.set_accept_state()
        return self._tls

    async def hear(self) -> bytes:
        """Read what has come, or wait for it; empty when the client has gone."""
        while True:
            await trio.lowlevel.wait_readable(self._peer.fileno())
            try:
                return self._peer.recv(CHUNK)
            except BlockingIOError:
                continue

    async def _flush(self, tls: SSL.Connection, *, one_record: bool = False) -> None:
        """Send what the TLS library has queued, or only the first record of it."""
        try:
            data = tls.bio_read(CHUNK)
        except SSL.WantReadError:
            return
        await self.say(data[: record_size(data)] if one_record else data)

    async def say(self, data: bytes) -> None:
        """Send it as it is."""
        while data:
            try:
                data = data[self._peer.send(data) :]
            except BlockingIOError:
                await trio.lowlevel.wait_writable(self._peer.fileno())
