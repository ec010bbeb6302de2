"""The client's end of the lab's tests: pyOpenSSL on plain sockets, many at once.

It is written apart from the server's end on purpose: no code is shared but the certificates.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256

import trio
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from stress.model.plan import Address

PATIENCE_S = 20.0


@dataclass(frozen=True)
class Kind:
    """The kind of client."""

    name: str | None = "www.lab.test"
    best: int = SSL.TLS1_3_VERSION
    ciphers: bytes | None = None
    padding: int = 0
    """Bytes of application protocol names, to make the ClientHello large."""
    timeout_s: float = PATIENCE_S

    def context(self) -> SSL.Context:
        made = SSL.Context(SSL.TLS_CLIENT_METHOD)
        made.set_max_proto_version(self.best)
        if self.ciphers:
            made.set_cipher_list(self.ciphers)
        if self.padding:
            made.set_alpn_protos([b"x" * 200] * (self.padding // 200))
        return made


@dataclass(frozen=True)
class Seen:
    """The result of one handshake."""

    outcome: str
    """`ok`, `reset`, `eof`, `timeout`, `refused` or OpenSSL's reason."""
    chain: str | None = None
    version: str | None = None
    address: Address | None = None
    port: int = 0


PLAIN = Kind()


class Attempt:
    """One handshake from this end."""

    def __init__(self, address: Address, kind: Kind, context: SSL.Context) -> None:
        self.address = address
        self.kind = kind
        self.tls = SSL.Connection(context, None)
        self.tls.set_connect_state()
        if kind.name is not None:
            self.tls.set_tlsext_host_name(kind.name.encode())
        self.port = 0

    async def run(self) -> Seen:
        with trio.move_on_after(self.kind.timeout_s):
            try:
                stream = await trio.open_tcp_stream(self.address.ip, self.address.port)
            except OSError:
                return Seen("refused", address=self.address)
            async with stream:
                self.port = stream.socket.getsockname()[1]
                return self._seen(await self._shake(stream))
        return self._seen("timeout")

    async def _shake(self, stream: trio.SocketStream) -> str:
        while True:
            try:
                self.tls.do_handshake()
            except SSL.WantReadError:
                await self._flush(stream)
                outcome = await self._read(stream)
                if outcome:
                    return outcome
            except SSL.Error as error:
                return str(error.args[0][-1][2])
            else:
                await self._flush(stream)
                return await self._after(stream)

    async def _after(self, stream: trio.SocketStream) -> str:
        """A request and its answer, so that nothing sent after the handshake is missed."""
        self.tls.sendall(b"GET / HTTP/1.1\r\n\r\n")
        await self._flush(stream)
        while True:
            try:
                self.tls.recv(1000)
            except SSL.WantReadError:
                outcome = await self._read(stream)
                if outcome:
                    return outcome
            except SSL.Error as error:
                return str(error.args[0][-1][2])
            else:
                return "ok"

    async def _read(self, stream: trio.SocketStream) -> str:
        try:
            data = await stream.receive_some()
        except trio.BrokenResourceError:
            return "reset"
        if data:
            self.tls.bio_write(bytes(data))
        return "" if data else "eof"

    async def _flush(self, stream: trio.SocketStream) -> None:
        with suppress(SSL.WantReadError, trio.BrokenResourceError):
            await stream.send_all(self.tls.bio_read(65_536))

    def _seen(self, outcome: str) -> Seen:
        sent = self.tls.get_peer_cert_chain(as_cryptography=True) or []
        der = b"".join(certificate.public_bytes(Encoding.DER) for certificate in sent)
        chain = sha256(der).hexdigest() if der else None
        version = self.tls.get_protocol_version_name()
        return Seen(outcome, chain, version, self.address, self.port)


async def bulk(
    addresses: Sequence[Address], kinds: Sequence[Kind], count: int, at_once: int
) -> list[Seen]:
    contexts = [kind.context() for kind in kinds]
    seen: list[Seen] = []
    turns = iter(range(count))

    async def slot() -> None:
        for turn in turns:
            which = turn // len(addresses) % len(kinds)
            address = addresses[turn % len(addresses)]
            seen.append(await Attempt(address, kinds[which], contexts[which]).run())

    async with trio.open_nursery() as nursery:
        for _ in range(at_once):
            nursery.start_soon(slot)
    return seen


def handshakes(
    addresses: Sequence[Address], count: int, *kinds: Kind, at_once: int = 16
) -> list[Seen]:
    """Open that many handshakes, over all addresses and kinds of client in turn."""
    return trio.run(bulk, addresses, kinds or (PLAIN,), count, at_once)
