"""Hostile proxies: what each says before there is a tunnel, and what must become of an attempt."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass

from stress.model.outcome import Stage
from stress.model.plan import ProxyScheme, StartTls
from tests.dialogues.conversations import GOOD
from tests.servers.crooked import House
from tests.servers.hostile import DRIP_S, Behaviour, drip, good, reset, wait

HTTP, SOCKS = ProxyScheme
ASKING, HELLO, DONE = Stage.PROXY, Stage.CLIENT_HELLO, Stage.FINISHED
FAILED, REFUSED, LOGIN = "proxy-failed", "proxy-refused", "proxy-authentication"
OK = b"HTTP/1.1 200 Connection established\r\nVia: 1.1 hop\r\n\r\n"
CHOSEN, BOUND = b"\x05\0", b"\x05\0\0\x01\0\0\0\0\0\0"
SOCKS_REPLIES = {
    1: FAILED,
    2: REFUSED,
    3: FAILED,
    4: FAILED,
    5: FAILED,
    6: FAILED,
    7: REFUSED,
    8: REFUSED,
    99: FAILED,
}
STATUS = {
    400: FAILED,
    401: LOGIN,
    403: REFUSED,
    405: REFUSED,
    407: LOGIN,
    429: REFUSED,
    301: FAILED,
    502: FAILED,
    503: FAILED,
    504: FAILED,
}


@dataclass(frozen=True, slots=True)
class HostileProxy:
    """A proxy, and what must become of an attempt through it."""

    scheme: ProxyScheme
    name: str
    behave: Behaviour
    outcome: str
    stage: Stage = ASKING
    starttls: StartTls | None = None

    def __str__(self) -> str:
        return f"{self.scheme}, {self.name}"


def corpus() -> Iterator[HostileProxy]:
    """Every hostile variant of both kinds of proxy, and for each a healthy one."""
    for name, behave, outcome, *stage in _http():
        yield HostileProxy(HTTP, name, behave, outcome, stage[0] if stage else ASKING)
    for name, behave, outcome, *stage in _socks():
        yield HostileProxy(SOCKS, name, behave, outcome, stage[0] if stage else ASKING)


Variant = tuple[str, Behaviour, str, *tuple[Stage, ...]]


def _http() -> Iterator[Variant]:
    yield "healthy", says(OK, then=good), "ok", DONE
    yield "in pieces", says(OK, then=good, whole=False), "ok", DONE
    yield "interim answer first", says(b"HTTP/1.1 103 Early\r\n\r\n" + OK, then=good), "ok", DONE
    yield "HTTP/1.0, bare line feeds", says(b"HTTP/1.0 200 OK\n\n", then=good), "ok", DONE
    for code, outcome in STATUS.items():
        yield f"{code}", says(b"HTTP/1.1 %d No\r\nContent-Length: 4\r\n\r\nnope" % code), outcome
    yield "closes at once", says(b""), FAILED
    yield "closes within its header", says(b"HTTP/1.1 200 OK\r\nVia"), FAILED
    yield "resets", resets, FAILED
    yield "silent", says(then=wait_long), "proxy-failed"
    yield "one byte a second", drips(OK), FAILED
    yield "speaks SOCKS", says(b"\x05\xff\r\n"), FAILED
    yield "speaks TLS", says(b"\x15\x03\x01\0\x02\x02\x46\n"), FAILED
    yield "garbage", says(bytes(range(256)) * 8 + b"\n"), FAILED
    yield "HTTP/2", says(b"HTTP/2 200\r\n\r\n"), FAILED
    yield "endless header", floods(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 500), FAILED
    yield "endless line", floods(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 4000), FAILED
    yield "endless interim answers", floods(b"", b"HTTP/1.1 100 Go on\r\n\r\n"), FAILED
    yield "endless status", floods(b"HTTP/1.1 200 ", b"O" * 4000), FAILED
    yield "a page behind the answer", says(OK + b"<html>hello\r\n"), "not-tls", HELLO
    yield "a page instead of TLS", says(OK, b"<html>hello\r\n"), "not-tls", HELLO
    yield "closes the tunnel", says(OK, b""), "eof", HELLO


def _socks() -> Iterator[Variant]:
    yield "healthy", says(CHOSEN, BOUND, then=good), "ok", DONE
    yield "in pieces", says(CHOSEN, BOUND, then=good, whole=False), "ok", DONE
    named = b"\x05\0\0\x03\x04hop.\x04\x38"
    yield "bound to a name", says(CHOSEN, named, then=good), "ok", DONE
    yield "bound to IPv6", says(CHOSEN, b"\x05\0\0\x04" + b"\1" * 18, then=good), "ok", DONE
    for code, outcome in SOCKS_REPLIES.items():
        yield f"reply {code}", says(CHOSEN, bytes([5, code, 0, 1, *bytes(6)])), outcome
    yield "takes no method", says(b"\x05\xff"), LOGIN
    yield "chooses a method that was not offered", says(b"\x05\x02"), FAILED
    yield "SOCKS 4", says(b"\0\x5a" + b"\0" * 6), FAILED
    yield "speaks HTTP", says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), FAILED
    yield "another version in the reply", says(CHOSEN, b"\x04\0\0\x01" + bytes(6)), FAILED
    yield "an unknown kind of address", says(CHOSEN, b"\x05\0\0\x09" + bytes(6)), FAILED
    yield "half a reply", says(CHOSEN, BOUND[:7]), FAILED
    yield "closes at once", says(b""), FAILED
    yield "resets", resets, FAILED
    yield "silent", says(then=wait_long), FAILED
    yield "one byte a second", drips(CHOSEN + BOUND), FAILED
    yield "endless", floods(b"\x05\0\x05\0\0\x03\xff", b"x" * 4000), "not-tls", HELLO
    yield "bytes behind the reply", says(CHOSEN, BOUND + b"220 mail\r\n"), "not-tls", HELLO
    yield "closes the tunnel", says(CHOSEN, BOUND, b""), "eof", HELLO


def greeting() -> HostileProxy:
    """A proxy in whose answer the greeting of the mail server behind it came along."""
    first, *rest = (said for _, said in GOOD[StartTls.SMTP])
    behave = says(OK + first, *rest, then=good)
    return HostileProxy(HTTP, "a greeting behind the answer", behave, "ok", DONE, StartTls.SMTP)


def says(*parts: bytes, then: Behaviour | None = None, whole: bool = True) -> Behaviour:
    """Say the parts in turn, each after what the client sends; then do that, or close."""

    def behave(connection: socket.socket, house: House) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            connection.recv(4096)
            for octet in [part] if whole else [part[n : n + 1] for n in range(len(part))]:
                connection.sendall(octet)
        if then is not None:
            then(connection, house)

    return behave


def wait_long(connection: socket.socket, _: House) -> None:
    connection.recv(4096)
    wait(connection)


def floods(begin: bytes, more: bytes) -> Behaviour:
    def behave(connection: socket.socket, _: House) -> None:
        connection.recv(4096)
        connection.sendall(begin)
        while True:
            connection.sendall(more)

    return behave


def drips(data: bytes) -> Behaviour:
    def behave(connection: socket.socket, _: House) -> None:
        connection.recv(4096)
        drip(connection, data, DRIP_S)

    return behave


def resets(connection: socket.socket, _: House) -> None:
    connection.recv(4096)
    reset(connection)
