"""Servers and boxes that no product can be configured to be: `python -m tests.cases.odd_servers`.

Each function serves one port of 127.0.0.1 until its process is ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from tests.cases.certificates import CertificateSpec, CertificateStore

RST = struct.pack("ii", 1, 0)


def greeting(port: int, text: str) -> None:
    """Greets in clear text and waits, as mail servers do."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(f"{text}\r\n".encode())
            await reader.read(512)
            writer.close()

    asyncio.run(_serve(port, one))


def one_segment(port: int, behind: str) -> None:
    """Passes a ClientHello on only when it has come in one segment."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(1460)
        if len(first) < 5 or int.from_bytes(first[3:5]) + 5 > len(first):
            writer.transport.abort()
            return
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", int(behind))
        to_writer.write(first)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while data := await source.read(65_536):
                    sink.write(data)
            sink.close()

        await asyncio.gather(pump(reader, to_writer), pump(to_reader, writer))

    asyncio.run(_serve(port, one))


def alert_80(port: int, pem: str) -> None:
    """Knows no certificate for the name, and says `internal_error`, as Go's servers do."""
    context = _context(pem)
    context.sni_callback = lambda *_: ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
    _accept(port, lambda: context)


def plain_alpn(port: int, pem: str) -> None:
    """Has lost its list of protocols."""
    context = _context(pem)
    _accept(port, lambda: context)


def limited(port: int, pem: str, per_s: str) -> None:
    """Resets what exceeds a rate of new connections (a token bucket of one second)."""
    context, rate = _context(pem), float(per_s)
    level, last = rate, monotonic()

    def admitted() -> ssl.SSLContext | None:
        nonlocal level, last
        now = monotonic()
        level, last = min(rate, level + (now - last) * rate), now
        if level < 1.0:
            return None
        level -= 1.0
        return context

    _accept(port, admitted)


def short_lived(port: int, folder: str, every_s: str, ahead_s: str) -> None:
    """Takes a new certificate at intervals, each some seconds before it is valid."""
    place = Path(folder)
    root = CertificateStore({}, place)
    root.anchors  # noqa: B018 - written now
    made = 0

    def fresh(begins_s: float) -> ssl.SSLContext:
        nonlocal made
        made += 1
        root.add(f"app-{made}", CertificateSpec(("app.test",), begins_h=begins_s / 3600, ends_h=2))
        return _context(str(root.whole(f"app-{made}")))

    current, renewed = fresh(-60.0), monotonic()

    def latest() -> ssl.SSLContext:
        nonlocal current, renewed
        if monotonic() - renewed >= float(every_s):
            current, renewed = fresh(float(ahead_s)), monotonic()
        return current

    _accept(port, latest)


def users(port: int, seconds: str) -> None:
    """Other people's clients: many open connections for a moment, then few, again and again."""
    context = ssl._create_unverified_context()
    held: list[ssl.SSLSocket] = []
    begun = monotonic()
    while monotonic() - begun < float(seconds):
        wanted = 70 if int(monotonic() - begun) % 3 == 2 else 5
        while len(held) > wanted:
            held.pop().close()
        while len(held) < wanted:
            try:
                raw = socket.create_connection(("127.0.0.1", port), 2)
                held.append(context.wrap_socket(raw))
                # A connection without any request nginx closes itself where it needs room.
                held[-1].send(b"GET / HTTP/1.1\r\n")
            except OSError:
                break
        threading.Event().wait(0.2)


def delayed(port: int, pem: str, seconds: str) -> None:
    """Answers each connection only after so many seconds, however many there are."""
    context = _context(pem)
    _accept(port, lambda: context, float(seconds))


async def _serve(port: int, one: Callable[..., object]) -> None:
    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await one(reader, writer)  # type: ignore[misc]

    server = await asyncio.start_server(guarded, "127.0.0.1", port, backlog=512)
    await server.serve_forever()


def _context(pem: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def _accept(port: int, context: Callable[[], ssl.SSLContext | None], after_s: float = 0.0) -> None:
    """A thread for each connection; None as context resets it."""

    def one(raw: socket.socket, chosen: ssl.SSLContext) -> None:
        with contextlib.suppress(OSError):
            raw.settimeout(5)
            threading.Event().wait(after_s)
            with chosen.wrap_socket(raw, server_side=True) as tls:
                tls.recv(1)

    listener = socket.create_server(("127.0.0.1", port), backlog=512)
    while True:
        raw, _ = listener.accept()
        chosen = context()
        if chosen is None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
            raw.close()
        else:
            threading.Thread(target=one, args=(raw, chosen), daemon=True).start()


KINDS: dict[str, Callable[..., None]] = {
    "greeting": greeting,
    "one-segment": one_segment,
    "alert-80": alert_80,
    "plain-alpn": plain_alpn,
    "limited": limited,
    "short-lived": short_lived,
    "users": users,
    "delayed": delayed,
}

if __name__ == "__main__":
    KINDS[sys.argv[1]](int(sys.argv[2]), *sys.argv[3:])
