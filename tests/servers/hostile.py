"""Hostile servers: what each sends, and which outcome and stage it must get.

Each is one function over an accepted socket; a table says what must become of the attempt. The
first row of the corpus is a healthy server: a worker that met all the others must still do it
right. Where two outcomes are right (a RST may overtake the bytes before it), both are listed.
"""

from __future__ import annotations

import random
import socket
import ssl
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from time import monotonic

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from stress.handshake.hello import read_hello
from stress.model.outcome import Stage
from tests.handshake.scripted import (
    HANDSHAKE,
    RANDOM,
    RENEGOTIATION_INFO,
    Scripted13,
    alert,
    fragments,
    message,
    record,
    server_hello,
    vector,
)
from tests.servers.crooked import CHAINS, House, Wish, rsa_key

ECDSA_SHA256 = ec.ECDSA(hashes.SHA256())
DRIP_S = 1.0
RETRY_RANDOM = sha256(b"HelloRetryRequest").digest()
RETRY_EXTENSIONS = b"\x00\x2b\x00\x02\x03\x04\x00\x33\x00\x02\x00\x18"
TICKET = message(4, bytes(8) + b"\x01\x00" + b"\x00\x04tick" + b"\x00\x00")

Behaviour = Callable[[socket.socket, House], None]
HELLO, SERVER, CERTIFICATE = Stage.CLIENT_HELLO, Stage.SERVER_HELLO, Stage.CERTIFICATE
DONE, AFTER = Stage.FINISHED, Stage.AFTER_HANDSHAKE


# -- how they speak ----------------------------------------------------------------------------


def receive_hello(connection: socket.socket) -> bytes:
    """The ClientHello, whole."""
    data = connection.recv(4096)
    while data and len(data) < 5 + int.from_bytes(data[3:5]):
        data += connection.recv(4096)
    # A ChangeCipherSpec precedes a second hello (RFC 8446 appendix D.4).
    return data[6:] if data.startswith(b"\x14") else data


def wait(connection: socket.socket) -> None:
    """Until the client leaves."""
    while connection.recv(4096):
        pass


def reset(connection: socket.socket) -> None:
    """Let the coming close send RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def drip(connection: socket.socket, data: bytes, pause_s: float) -> None:
    """One octet after the other; returns when the client has gone."""
    for octet in data:
        connection.sendall(bytes([octet]))
        end = monotonic() + pause_s
        while (left := end - monotonic()) > 0:
            connection.settimeout(left)  # not select(), which knows no descriptors above 1,023
            with suppress(TimeoutError):
                if not connection.recv(4096):
                    return
    connection.settimeout(None)


def good(connection: socket.socket, house: House) -> None:
    with house.context().wrap_socket(connection, server_side=True) as secure:
        secure.recv(1)


def says(data: bytes | Callable[[], bytes], *, after_hello: bool = True) -> Behaviour:
    """Send this and wait."""

    def behave(connection: socket.socket, house: House) -> None:
        if after_hello:
            receive_hello(connection)
        connection.sendall(data if isinstance(data, bytes) else data())
        wait(connection)

    return behave


def floods(data: bytes) -> Behaviour:
    """Send this for as long as the client reads."""

    def behave(connection: socket.socket, house: House) -> None:
        receive_hello(connection)
        while True:
            connection.sendall(data)

    return behave


def answers(make: Callable[[bytes, House], bytes]) -> Behaviour:
    """Send what is made from the ClientHello, and wait."""

    def behave(connection: socket.socket, house: House) -> None:
        connection.sendall(make(receive_hello(connection), house))
        wait(connection)

    return behave


def older(
    sent: bytes,
    chain: Sequence[bytes],
    speaks: tuple[int, int],
    sign: Callable[[bytes], bytes],
) -> list[bytes]:
    """The records of a TLS 1.2 server: hello, certificates, key exchange, done.

    Args:
        sent: the ClientHello.
        chain: what it shows.
        speaks: its suite and its signature algorithm.
        sign: signs what it is given.
    """
    hello = replace(read_hello(sent), session_id=b"")  # echoed, it would be a resumption
    suite, algorithm = speaks
    share = X25519PrivateKey.generate().public_key()
    params = b"\x03\x00\x1d" + vector(share.public_bytes(Encoding.Raw, PublicFormat.Raw), 1)
    signature = sign(hello.random + RANDOM + params)
    messages = (
        server_hello(hello, suite, RENEGOTIATION_INFO),
        message(11, vector(b"".join(vector(each, 3) for each in chain), 3)),
        message(12, params + algorithm.to_bytes(2) + vector(signature, 2)),
        message(14, b""),
    )
    return [fragments(each) for each in messages]


def curve_flight(sent: bytes, house: House) -> list[bytes]:
    """The same with the good chain."""
    return older(
        sent, house.good, (0xC02B, 0x0403), lambda said: house.key.sign(said, ECDSA_SHA256)
    )


# -- before anything is said -------------------------------------------------------------------


def closes_at_once(connection: socket.socket, house: House) -> None:
    connection.shutdown(socket.SHUT_WR)
    wait(connection)


def resets_at_accept(connection: socket.socket, house: House) -> None:
    reset(connection)


def resets_after_the_hello(connection: socket.socket, house: House) -> None:
    receive_hello(connection)
    reset(connection)


def never_answers(connection: socket.socket, house: House) -> None:
    wait(connection)


def one_byte_a_second(connection: socket.socket, house: House) -> None:
    server = Scripted13(house.good, house.key)
    drip(connection, b"".join(server.flight(receive_hello(connection))), DRIP_S)


# -- in the middle -----------------------------------------------------------------------------


def resets_in_mid_certificate(connection: socket.socket, house: House) -> None:
    hello, certificates, *_ = curve_flight(receive_hello(connection), house)
    connection.sendall(hello + certificates[: len(certificates) // 2])
    reset(connection)


def half_a_server_hello(connection: socket.socket, house: House) -> None:
    hello = curve_flight(receive_hello(connection), house)[0]
    connection.sendall(hello[: len(hello) // 2])
    connection.shutdown(socket.SHUT_WR)
    wait(connection)


def half_a_server_hello_then_silence(connection: socket.socket, house: House) -> None:
    hello = curve_flight(receive_hello(connection), house)[0]
    connection.sendall(hello[: len(hello) // 2])
    wait(connection)


def fragments_of_one_byte(connection: socket.socket, house: House) -> None:
    """Each octet of the ServerHello in a record of its own, each record octet by octet."""
    server = Scripted13(house.good, house.key)
    greeting, *rest = server.flight(receive_hello(connection))
    said = b"".join(record(HANDSHAKE, bytes([octet])) for octet in greeting[5:])
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    drip(connection, said + b"".join(rest), 0)
    wait(connection)


def endless_retry(connection: socket.socket, house: House) -> None:
    while (hello := receive_hello(connection)) and hello.startswith(b"\x16"):
        said = server_hello(read_hello(hello), 0x1301, RETRY_EXTENSIONS)
        connection.sendall(record(HANDSHAKE, said.replace(RANDOM, RETRY_RANDOM)))


def endless_hello_requests(connection: socket.socket, house: House) -> None:
    """RFC 5246 section 7.4.1.1 has a client ignore them while it negotiates."""
    connection.sendall(curve_flight(receive_hello(connection), house)[0])
    while True:
        connection.sendall(record(HANDSHAKE, message(0, b"") * 4000))


def endless_message(connection: socket.socket, house: House) -> None:
    """A Certificate of 16 MB, announced and begun."""
    connection.sendall(curve_flight(receive_hello(connection), house)[0])
    connection.sendall(record(HANDSHAKE, b"\x0b\xff\xff\xff"))
    while True:
        connection.sendall(record(HANDSHAKE, bytes(16_384)))


def endless_change_cipher_spec(connection: socket.socket, house: House) -> None:
    connection.sendall(Scripted13(house.good, house.key).greet(receive_hello(connection)))
    while True:
        connection.sendall(record(20, b"\1") * 1000)


def endless_sealed_nothing(connection: socket.socket, house: House) -> None:
    """Encrypted handshake records that hold nothing but padding."""
    server = Scripted13(house.good, house.key)
    connection.sendall(server.greet(receive_hello(connection)))
    while True:
        connection.sendall(server.seal(0, bytes(16_000)))


def hello_twice(sent: bytes, house: House) -> bytes:
    return curve_flight(sent, house)[0] * 2


def done_without_keys(sent: bytes, house: House) -> bytes:
    flight = curve_flight(sent, house)
    return flight[0] + flight[1] + flight[3]


def old_version(sent: bytes, house: House) -> bytes:
    hello = server_hello(read_hello(sent), 0xC013, RENEGOTIATION_INFO, version=0x0301)
    return record(HANDSHAKE, hello, 0x0301)


def extension_twice(sent: bytes, house: House) -> bytes:
    hello = server_hello(read_hello(sent), 0xC02B, RENEGOTIATION_INFO * 2)
    return record(HANDSHAKE, hello)


def unoffered_cipher(sent: bytes, house: House) -> bytes:
    return record(HANDSHAKE, server_hello(read_hello(sent), 0x0005, RENEGOTIATION_INFO))


def giant_server_hello(sent: bytes, house: House) -> bytes:
    odd = b"\xfa\xfa" + vector(bytes(60_000), 2)
    return fragments(server_hello(read_hello(sent), 0xC02B, odd))


def wrong_key(sent: bytes, house: House) -> bytes:
    return b"".join(Scripted13(house.good, ec.generate_private_key(ec.SECP256R1())).flight(sent))


def older_flight(name: str | None = None, *, wrong_key: bool = False) -> Behaviour:
    """A TLS 1.2 server: a chain of the collection of crooked ones, or another key than its own."""

    def make(sent: bytes, house: House) -> bytes:
        chain = house.good if name is None else CHAINS[name](house)
        key = ec.generate_private_key(ec.SECP256R1()) if wrong_key else house.key
        speaks = (0xC02B, 0x0403)
        return b"".join(older(sent, chain, speaks, lambda said: key.sign(said, ECDSA_SHA256)))

    return answers(make)


def rsa_flight(bits: int, exponent: int) -> Callable[[bytes, House], bytes]:
    """The first flight of a TLS 1.2 server that signs with such a key."""

    def make(sent: bytes, house: House) -> bytes:
        key = rsa_key(bits, exponent)
        chain = house.chain(Wish(public=key.public))
        return b"".join(older(sent, chain, (0xC02F, 0x0401), key.sign))

    return make


def requests_a_certificate(sent: bytes, house: House) -> bytes:
    """A TLS 1.2 server that requests a certificate and refuses before it has read an answer."""
    hello, certificates, keys, done = curve_flight(sent, house)
    request = message(13, b"\x01\x40" + vector(b"\x04\x03", 2) + b"\0\0")
    return hello + certificates + keys + fragments(request) + done + alert(40)


# -- after the handshake -----------------------------------------------------------------------


def shakes_then(say: Callable[[Scripted13], bytes], *, for_ever: bool = False) -> Behaviour:
    """A TLS 1.3 server that has something to say when it is done."""

    def behave(connection: socket.socket, house: House) -> None:
        server = Scripted13(house.good, house.key)
        connection.sendall(b"".join(server.flight(receive_hello(connection))) + say(server))
        while for_ever:
            connection.sendall(say(server))
        wait(connection)

    return behave


def shows(name: str) -> Behaviour:
    """A TLS 1.3 server with a chain of the collection of crooked ones."""
    return answers(
        lambda sent, house: b"".join(Scripted13(CHAINS[name](house), house.key).flight(sent))
    )


def asks_for_a_certificate(mode: ssl.VerifyMode) -> Behaviour:
    """A healthy server that wants one, or would take one."""

    def behave(connection: socket.socket, house: House) -> None:
        context = house.context()
        context.verify_mode = mode
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(1)

    return behave


def noise(seed: int, head: bytes = b"") -> bytes:
    return head + random.Random(seed).randbytes(65_536)
