"""A backend: answers connections with its identity, unless one of its faults fires.

All bytes of a connection pass through its `ServerSession`, an accepted socket and OpenSSL on memory
BIOs, so that a node can read the ClientHello before the TLS library does (a fault is decided first)
and stop in the middle of a flight. Nothing that the client does is an error here: the session just
ends. A `Trigger` decides whether a fault hits a connection. A `RateLimiter` lets connections
through at an exact rate: a node's signer is one, and so is a slow accept queue.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Final, NamedTuple

import trio
from OpenSSL import SSL

from stress.errors import UsageError
from stress.handshake.hello import read_hello
from stress.lab.blueprint import Fault, FaultAction, Identity, NodeSpec, Tickets
from stress.model.plan import StartTls

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


BUCKET_S = 0.25
BLOCKED_S = 0.12
"""How long a fault blocks the event loop."""


class Node:
    """A running backend, which counts its connections."""

    def __init__(
        self,
        spec: NodeSpec,
        seed: int = 0,
        pace: float = 1.0,
        tickets: Tickets = Tickets.OWN,
        sealing: SSL.Context | None = None,
    ) -> None:
        """Make a backend.

        Args:
            spec: what it does.
            seed: of the dice of its faults.
            pace: factor on their windows.
            tickets: what session tickets it sends.
            sealing: whose key seals them, where nodes share one.
        """
        self.name, self._sealing = spec.name, sealing
        self.served = 0
        """Connections that the balancer sent here."""
        self.faulted = 0
        """Connections on which one of its faults fired."""
        self._context = server_context(spec.identity, tickets)
        self._faults = [
            (
                fault.action,
                Trigger(fault, f"{seed}/{spec.name}/{index}", pace),
                server_context(fault.identity, tickets) if fault.identity else self._context,
            )
            for index, fault in enumerate(spec.faults)
        ]
        self._starttls = spec.starttls
        self._needs_hello = any(fault.needs_hello for fault in spec.faults)
        self._signer = RateLimiter(spec.signing_ns / 1e9) if spec.signing_ns else None

    async def serve(self, peer: socket.socket, first_s: float) -> None:
        """Serve an accepted, non-blocking connection to its end, and close it.

        Args:
            peer: the connection.
            first_s: when the process accepted its first connection, on Trio's clock.
        """
        self.served += 1
        with peer, trio.move_on_after(PATIENCE_S):
            try:
                session = ServerSession(peer, self.name, self._sealing)
                if self._starttls is None or await speak(session, self._starttls):
                    await self._answer(session, first_s)
            except OSError:  # the client has left, which is not our error
                return

    async def _answer(self, connection: ServerSession, first_s: float) -> None:
        first = await connection.hello()
        if not first:
            return
        action, context = FaultAction.ANSWER, self._context
        client_hello = Hello.read(first) if self._needs_hello else None
        at_s = trio.current_time() - first_s
        for planted, trigger, planted_context in self._faults:
            if trigger.fires(client_hello, at_s):
                self.faulted += 1
                action, context = planted, planted_context
                break
        if self._signer is not None:
            await self._signer.wait()
        if action is FaultAction.BLOCK:
            time.sleep(BLOCKED_S)  # noqa: ASYNC251, TID251 - this is the fault
        match action:
            case FaultAction.ANSWER | FaultAction.BLOCK:
                if await connection.handshake(context, first):
                    await connection.answer_requests()
            case FaultAction.RESET:
                connection.reset()
            case FaultAction.SILENCE:
                await connection.fall_silent(context, first)


class Trigger:
    """The conditions of one fault, with the state that two of them need (dice and bucket)."""

    def __init__(self, fault: Fault, seed: str, pace: float = 1.0) -> None:
        self._fault = fault
        self._pace = pace
        self._dice = Random(seed)  # noqa: S311 - repeatable faults, no secret
        self._bucket_size = max(2.0, (fault.over_per_s or 0.0) * BUCKET_S)
        self._tokens = self._bucket_size
        self._filled_s = 0.0
        self._met = 0

    def fires(self, hello: Hello | None, at_s: float) -> bool:
        """Whether the connection is hit.

        Args:
            hello: the client's hello; None only when no condition needs it.
            at_s: seconds since the first connection; must not go back.
        """
        fault, self._met = self._fault, self._met + 1
        early = self._met <= fault.after
        if early or (fault.window is not None and not fault.window.holds(at_s / self._pace)):
            return False
        if hello is not None:
            if fault.best_version not in {None, hello.best_version}:
                return False
            if fault.hello_over is not None and hello.size <= fault.hello_over:
                return False
            if fault.without_name and hello.server_name is not None:
                return False
        if fault.over_per_s is not None:
            refilled = self._tokens + (at_s - self._filled_s) * fault.over_per_s
            self._tokens, self._filled_s = min(self._bucket_size, refilled), at_s
            if self._tokens >= 1:
                self._tokens -= 1
                return False
        # Last, so that the dice depend only on the connections that could have been hit.
        return fault.share >= 1 or self._dice.random() < fault.share


class RateLimiter:
    """Lets one through every `interval_s` seconds, in order of arrival.

    It keeps a schedule instead of sleeping for each, so that the rate is exact however late the
    timers fire: a wait that was too long shortens the next. Idle time is not made up.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._free_at_s = 0.0

    async def wait(self) -> None:
        """Arrive, wait in the queue, then for one interval."""
        self.arrive()
        await self.wait_next()

    def arrive(self) -> None:
        """Start the schedule now if the limiter was idle."""
        self._free_at_s = max(trio.current_time(), self._free_at_s)

    async def wait_next(self) -> None:
        """Let the next through from a queue that was never empty since `arrive`.

        Subtle: a loop that takes from a queue one by one wakes up late each time. Counting from the
        schedule and not from now makes up for that; else a busy machine would lower the rate.
        """
        self._free_at_s += self._interval_s
        await trio.sleep_until(self._free_at_s)


# What a node says before TLS (STARTTLS): the other side of `stress.dialogues`, for four protocols,
# and only as far as a client asks for TLS.
_LINE_END: Final = b"\r\n"


class _Words(NamedTuple):
    """What is said in one protocol."""

    greeting: bytes
    """Unasked; empty: the client speaks first."""
    answers: tuple[bytes, ...]
    """To each message of the client; a `%s` stands for its tag or number."""
    is_whole: Callable[[bytes], bool] = lambda data: data.endswith(_LINE_END)
    """Whether a message has come completely."""
    tag: Callable[[bytes], bytes] = lambda message: message.split(b" ")[0]


_WORDS: Final[Mapping[StartTls, _Words]] = MappingProxyType(
    {
        StartTls.SMTP: _Words(
            b"220 lab ESMTP\r\n", (b"250-lab\r\n250 STARTTLS\r\n", b"220 go ahead\r\n")
        ),
        StartTls.IMAP: _Words(
            b"* OK lab\r\n",
            (b"* CAPABILITY IMAP4rev1 STARTTLS\r\n%s OK\r\n", b"%s OK go ahead\r\n"),
        ),
        StartTls.LDAP: _Words(  # an ExtendedResponse of success (RFC 4511 section 4.12)
            b"",
            (bytes.fromhex("300c0201") + b"%s" + bytes.fromhex("78070a010004000400"),),
            lambda data: len(data) > 5 and len(data) == 2 + data[1],
            lambda message: message[4:5],
        ),
        StartTls.POSTGRES: _Words(b"", (b"S",), lambda data: len(data) == 8),
    }
)
SPOKEN: Final = frozenset(_WORDS)
"""The protocols that a node can speak."""


async def speak(connection: ServerSession, protocol: StartTls) -> bool:
    """Speak up to the go-ahead; False when the client has left before."""
    words = _WORDS[protocol]
    await connection.say(words.greeting)
    for answer in words.answers:
        message = b""
        while not words.is_whole(message):
            more = await connection.hear()
            if not more:
                return False
            message += more
        await connection.say(answer.replace(b"%s", words.tag(message)))
    return True
