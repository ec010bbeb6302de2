"""The first flight of a TLS 1.2 server: a ServerHello and a Certificate with any octets in it.

No key is needed: every client judges the chain when it has read the Certificate, and answers a
refused one with an alert. A client that waits for more has accepted it.
"""

from __future__ import annotations

from collections.abc import Sequence

ECDSA, RSA = 0xC02B, 0xC02F
"""ECDHE with AES-128-GCM."""


def server_flight(chain: Sequence[bytes], *, rsa: bool, staple: bytes | None = None) -> bytes:
    """The records; with an OCSP response if there is one."""
    entries = b"".join(len(der).to_bytes(3, "big") + der for der in chain)
    cipher = (RSA if rsa else ECDSA).to_bytes(2, "big")
    extensions = b"\xff\x01\0\1\0" + b"\0\x0b\0\2\1\0" + b"\0\x17\0\0"
    if staple is not None:
        extensions += b"\0\5\0\0"
    hello = b"\3\3" + bytes(range(32)) + b"\0" + cipher + b"\0"
    hello += len(extensions).to_bytes(2, "big") + extensions
    messages = _message(2, hello) + _message(11, len(entries).to_bytes(3, "big") + entries)
    if staple is not None:
        messages += _message(22, b"\1" + len(staple).to_bytes(3, "big") + staple)
    pieces = (messages[at : at + 16_000] for at in range(0, len(messages), 16_000))
    return b"".join(b"\x16\3\3" + len(piece).to_bytes(2, "big") + piece for piece in pieces)


def _message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body
