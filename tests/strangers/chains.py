"""Hostile chains for `judge`: mutated certificates, real ones of public CAs among them."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from random import Random

from stress.trust import open_stores
from stress.trust.reading.extension import NormalName
from tests.trust.certificates import authorities, leaf

_ISRG = "internet security research group"
_NAMES: tuple[NormalName, ...] = (
    ((("C", "us"),), (("O", _ISRG),), (("CN", "isrg root x1"),)),
    ((("C", "us"),), (("O", "isrg"),), (("CN", "root yr"),)),
    ((("C", "us"),), (("O", "let's encrypt"),), (("CN", "e7"),)),
)


def fixed() -> dict[str, bytes]:
    """Files that are odd as a whole, by name."""
    good = authorities().root.der
    pem = ssl.DER_cert_to_PEM_cert(good).encode()
    return {
        "empty": b"",
        "zeros": bytes(100_000),
        "text": b"hello\n" * 1000,
        "cut": pem[: len(pem) // 2],
        "begun-twice": pem[: len(pem) // 2] + pem,
        "no-base64": b"-----BEGIN CERTIFICATE-----\n\xff\xfe!\n-----END CERTIFICATE-----\n",
        "empty-certificate": b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        "key": b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "one-octet": b"\x30",
        "endless": b"\x30\x80" + bytes(1000),
        "huge-length": b"\x30\x84\xff\xff\xff\xff" + bytes(1000),
        "deep": b"\x30\x82\xff\x00" * 20_000,
        "many": pem * 2_000,
        "wide": bytes(range(256)) * 1000,
        "utf-16": pem.decode().encode("utf-16"),
    }


def mutated(count: int, seed: int) -> Iterator[bytes]:
    """Chains of up to five certificates with some octets changed, as DER in a row or as PEM."""
    random = Random(seed)
    real = [one.facts.der for name in _NAMES for one in open_stores().named(name)]
    made = [leaf().der, *(one.der for one in (authorities().intermediate, authorities().root))]
    for _ in range(count):
        chain = [
            bytearray(random.choice(random.choice((real, made))))
            for _ in range(random.randint(1, 5))
        ]
        for one in chain:
            for _ in range(random.choice((0, 1, 1, 3, 20))):
                one[random.randrange(len(one))] = random.randrange(256)
            if random.random() < 0.1:
                del one[random.randrange(len(one)) :]
        if random.random() < 0.5:
            yield b"".join(chain)
        else:
            yield "".join(ssl.DER_cert_to_PEM_cert(bytes(one)) for one in chain).encode()
