"""Chains made by chance: an authority, a leaf, an order and a host, each a little odd at times."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from ipaddress import ip_network

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.trust.certificates import (
    AUTHORITY,
    CLIENT,
    DAY,
    HOST,
    SERVER,
    Certificate,
    PrivateKey,
    Wanted,
    authorities,
    elliptic,
    issue,
    rsa_key,
)

ANY = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
_UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00")
_BASES: tuple[x509.GeneralName, ...] = (
    x509.DNSName(HOST),
    x509.DNSName("test"),
    x509.DNSName("." + HOST),
    x509.DNSName("sub." + HOST),
    x509.DNSName("elsewhere.test"),
    x509.IPAddress(ip_network("192.0.2.0/24")),
    x509.IPAddress(ip_network("10.0.0.0/8")),
    x509.RFC822Name("elsewhere.test"),
    x509.DirectoryName(x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, HOST)])),
)


@dataclass(frozen=True)
class Drawn:
    """One chain as sent, and the host that it is for."""

    sent: tuple[bytes, ...]
    host: str


def draw(number: int) -> Drawn:
    """The chain of this number: always the same one, but for its keys and serials."""
    chance = random.Random(number)
    own = authorities()
    root = chance.choice((own.root,) * 5 + (own.rogue_root,))
    issuers: list[Certificate] = []
    for depth in range(chance.choice((0, 1, 1, 1, 2, 2, 3))):
        wanted = _authority(chance, f"Issuer {depth} of {number}")
        issuers.insert(0, issue(wanted, issuer=issuers[0] if issuers else root))
    wanted, host, key = _leaf(chance)
    made = issue(wanted, issuer=issuers[0] if issuers else root, key=key)
    sent = chance.choice(_SENDERS)(chance, [made, *issuers], root)
    return Drawn(tuple(one.der for one in sent), host)


def _authority(chance: random.Random, name: str) -> Wanted:
    good = replace(AUTHORITY, common_name=name)
    if chance.random() < 0.65:
        return good
    odd: tuple[dict[str, object], ...] = (
        {"ends": -DAY},
        {"starts": DAY},
        {"ca": False},
        {"ca": None},
        {"cert_sign": False},
        {"path_length": 0},
        {"purposes": (SERVER,)},
        {"purposes": (ANY,)},
        {"purposes": (CLIENT,)},
        {"critical_extra": (_UNKNOWN,)},
        {"critical_extra": (_constraints(chance),)},
        {"critical_extra": (_constraints(chance),)},
    )
    return replace(good, **chance.choice(odd))  # type: ignore[arg-type]  # fields by name


def _constraints(chance: random.Random) -> x509.NameConstraints:
    permitted = chance.sample(_BASES, chance.randrange(3))
    excluded = chance.sample(_BASES, chance.randrange(2) if permitted else 1)
    return x509.NameConstraints(permitted or None, excluded or None)


def _leaf(chance: random.Random) -> tuple[Wanted, str, PrivateKey]:
    wanted, host = Wanted(), HOST
    key: PrivateKey = elliptic("drawn leaf")
    odd: tuple[tuple[dict[str, object], str], ...] = (
        ({"starts": -9 * DAY, "ends": -DAY}, HOST),
        ({"starts": DAY, "ends": 9 * DAY}, HOST),
        ({"dns": ("other.test",)}, HOST),
        ({"dns": ()}, HOST),
        ({"dns": ("x.test", HOST)}, HOST.upper()),
        ({"dns": ("*." + HOST,)}, "a." + HOST),
        ({"dns": ("*." + HOST,)}, HOST),
        ({"dns": ("*." + HOST,)}, "a.b." + HOST),
        ({"dns": ("*.test", "*")}, HOST),
        ({"common_name": "another name"}, HOST),
        ({"common_name": "another name", "dns": ()}, HOST),
        ({"addresses": ("192.0.2.1",)}, HOST),
        ({"addresses": ("192.0.2.1",)}, "192.0.2.1"),
        ({"addresses": ("192.0.2.1",), "dns": ()}, HOST),
        ({"addresses": ("2001:db8::1",)}, "2001:db8:0::1"),
        ({"common_name": "192.0.2.1", "dns": ()}, "192.0.2.1"),
        ({"common_name": "192.0.2.1", "dns": ("192.0.2.1",)}, "192.0.2.1"),
        ({"purposes": None}, HOST),
        ({"purposes": (CLIENT,)}, HOST),
        ({"purposes": (ANY,)}, HOST),
        ({"critical_extra": (_UNKNOWN,)}, HOST),
        ({"ca": True}, HOST),
        ({"must_staple": True}, HOST),
    )
    for _ in range(chance.choice((0, 0, 1, 1, 2))):
        fields, host = chance.choice(odd)
        wanted = replace(wanted, **fields)  # type: ignore[arg-type]  # fields by name
    if chance.random() < 0.2:
        key = chance.choice((rsa_key("drawn", 1024), rsa_key("drawn"), _p384()))
    return wanted, host, key


@cache
def _p384() -> PrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


def _cross_signed(
    chance: random.Random, chain: list[Certificate], root: Certificate
) -> list[Certificate]:
    """A copy of the root, signed by the other one; expired at times."""
    own = authorities()
    signer = own.rogue_root if root is own.root else own.root
    ends = chance.choice((-DAY, 900 * DAY))
    again = replace(AUTHORITY, common_name=root.name, ends=ends)
    return [*chain, issue(again, issuer=signer, key=root.key)]


def _without_one(
    chance: random.Random, chain: list[Certificate], root: Certificate
) -> list[Certificate]:
    gone = chance.randrange(1, len(chain)) if len(chain) > 1 else len(chain)
    return [one for place, one in enumerate(chain) if place != gone]


def _with_strangers(
    chance: random.Random, chain: list[Certificate], root: Certificate
) -> list[Certificate]:
    own = authorities()
    return [chain[0], own.rogue_intermediate, own.other_intermediate, *chain[1:]]


_Sender = Callable[[random.Random, list[Certificate], Certificate], list[Certificate]]
_SENDERS: tuple[_Sender, ...] = (
    lambda chance, chain, root: chain,
    lambda chance, chain, root: chain,
    lambda chance, chain, root: chain,
    lambda chance, chain, root: [chain[0], *chain[:0:-1]],
    lambda chance, chain, root: [*chain, *chance.choices(chain, k=2)],
    lambda chance, chain, root: [*chain, root],
    _without_one,
    _with_strangers,
    _cross_signed,
)
