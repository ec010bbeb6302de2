"""Faults of one certificate, or two at once, as a server could have them today.

Each is a chain with the key of its leaf, so that real servers can serve it to real clients.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tests.oracles.making import (
    CLIENT,
    DAY,
    Spec,
    address,
    authority,
    basic,
    bit_string,
    constraints,
    dns,
    key,
    name,
    purposes,
    seq,
    server,
    tlv,
    usage,
)

HOST, OTHER = "app.test", "other.test"
_ADDRESS = "127.0.0.1"


@dataclass
class Served:
    """A chain that is being spoilt."""

    now: int
    root: Spec
    middle: Spec
    leaf: Spec
    host: str = HOST
    self_signed: bool = False
    sent: tuple[str, ...] = ("leaf", "middle")
    anchor: Spec | None = None
    """The one that clients trust; None: the root."""

    def ders(self) -> tuple[bytes, ...]:
        """What the server sends."""
        leaf = self.leaf.issue(self.leaf if self.self_signed else self.middle)
        made = {
            "leaf": leaf,
            "middle": self.middle.issue(self.root),
            "root": self.root.issue(self.root),
        }
        return tuple(made[one] for one in self.sent)

    def anchors(self) -> tuple[bytes, ...]:
        """What clients trust."""
        trusted = self.anchor or self.root
        return (trusted.issue(trusted),)

    def private(self) -> bytes:
        """The leaf's key (PKCS 8)."""
        return self.leaf.key.pkcs8


Spoil = Callable[[Served], None]


@dataclass(frozen=True)
class Fault:
    """One kind of fault, or several together."""

    name: str
    spoil: tuple[Spoil, ...]
    category: str = ""
    """Ours; empty: several faults, and which one a client reports is its own affair."""
    when: tuple[str, ...] = field(default=())
    """What must be known of the chain for this message (see `stress.trust.known_of`)."""

    def served(self, now: int | None = None) -> Served:
        """The chain, around this moment."""
        at = int(time.time()) if now is None else now
        root, middle = authority("Root", key("p256", 1)), authority("Issuer", key("p256", 4))
        leaf = server(HOST, key("p256", 2))
        for one in (root, middle):
            one.starts, one.ends = at - 300 * DAY, at + 3000 * DAY
        leaf.starts, leaf.ends = at - 30 * DAY, at + 60 * DAY
        made = Served(at, root, middle, leaf)
        for spoil in self.spoil:
            spoil(made)
        return made


def _expired(made: Served) -> None:
    made.leaf.ends = made.now - 2 * DAY


def _early(made: Served) -> None:
    made.leaf.starts = made.now + 2 * DAY


def _issuer_expired(made: Served) -> None:
    made.middle.ends = made.now - 2 * DAY


def _other_name(made: Served) -> None:
    made.leaf.change("san", seq(dns(OTHER)))
    made.leaf.subject = name(OTHER)


def _no_names(made: Served) -> None:
    made.leaf.change("san", None)
    made.leaf.subject = name("Some server")


def _only_common_name(made: Served) -> None:
    made.leaf.change("san", None)


def _by_address(made: Served) -> None:
    made.host = _ADDRESS


def _other_address(made: Served) -> None:
    made.host = _ADDRESS
    made.leaf.change("san", seq(address(b"\xc0\0\2\1")))


def _self_signed(made: Served) -> None:
    made.self_signed, made.sent = True, ("leaf",)


def _unknown(made: Served) -> None:
    made.anchor = authority("Another Root", key("p256", 3))
    made.anchor.ends = made.now + 999 * DAY


def _send(*what: str) -> Spoil:
    def send(made: Served) -> None:
        made.sent = what

    return send


def _other_key(made: Served) -> None:
    made.anchor = replace(made.root, key=key("p256", 9))
    made.anchor.extensions = list(made.root.extensions)
    made.sent = ("leaf", "middle")


def _leaf(kind: str, value: bytes | None, *, critical: bool | None = None) -> Spoil:
    return lambda made: made.leaf.change(kind, value, critical=critical)


def _middle(kind: str, value: bytes, *, critical: bool | None = None) -> Spoil:
    return lambda made: made.middle.change(kind, value, critical=critical)


def _rsa(made: Served) -> None:
    made.middle.key = key("rsa2048", 1)


def _sha1(made: Served) -> None:
    _rsa(made)
    made.leaf.algorithm = "rsa-sha1"


def _small_key(made: Served) -> None:
    made.leaf.key = key("rsa1024", 1)


def _no_room(made: Served) -> None:
    made.root.change("basic", basic(ca=True, path_length=0))
    made.middle.change("basic", basic(ca=True, path_length=0))


def _one(what: str, spoil: Spoil, category: str, *when: str) -> Fault:
    return Fault(what, (spoil,), category, when)


SINGLE = (
    _one("expired", _expired, "expired-leaf"),
    _one("not yet valid", _early, "not-yet-valid"),
    _one("expired intermediate", _issuer_expired, "expired-intermediate"),
    _one("other name", _other_name, "hostname-mismatch"),
    _one("asked by an address", _by_address, "hostname-mismatch", "address"),
    _one("another address", _other_address, "hostname-mismatch", "address", "addresses"),
    _one("name in the CN only", _only_common_name, "no-san"),
    _one("no names", _no_names, "hostname-mismatch", "nameless"),
    _one("self-signed", _self_signed, "self-signed"),
    Fault("unknown CA", (_unknown,), "untrusted-root"),
    Fault(
        "unknown CA, its root sent",
        (_unknown, _send("leaf", "middle", "root")),
        "untrusted-root",
        ("root-sent",),
    ),
    Fault("unknown CA, leaf alone", (_unknown, _send("leaf")), "untrusted-root", ("alone",)),
    _one("intermediate missing", _send("leaf"), "incomplete-chain"),
    Fault("root of the same name", (_other_key,), "wrong-intermediate"),
    _one("purpose", _leaf("purposes", purposes(CLIENT)), "wrong-eku"),
    _one(
        "key usage",
        _leaf("usage", usage("keyCertSign", "cRLSign"), critical=True),
        "wrong-eku",
        "usage",
    ),
    _one(
        "leaf that may sign",
        _leaf("usage", usage("digitalSignature", "keyCertSign"), critical=True),
        "malformed-certificate",
        "signing-leaf",
    ),
    _one(
        "critical extension",
        _leaf("unknown", b"\x05\0", critical=True),
        "unhandled-critical-extension",
    ),
    _one(
        "name constraints",
        _middle("constraints", constraints([dns("elsewhere.test")], []), critical=True),
        "name-constraints",
    ),
    _one("issuer is no CA", _middle("basic", basic(ca=False)), "issuer-not-ca"),
    _one(
        "issuer may not sign", _middle("usage", usage("cRLSign")), "issuer-not-ca", "issuer-usage"
    ),
    _one("path length", _no_room, "path-length"),
    _one("signed with SHA-1", _sha1, "weak-signature"),
    _one("small key", _small_key, "weak-key"),
    _one(
        "broken key usage",
        _leaf("usage", bit_string(b"\x80", 9)),
        "malformed-certificate",
        "broken-usage",
    ),
    _one(
        "no key identifier",
        _leaf("aki", tlv(0x30)),
        "malformed-certificate",
        "no-key-id",
    ),
)
"""One fault each: their messages are the rows of the table."""

DOUBLE = (
    Fault("expired + other name", (_expired, _other_name)),
    Fault("expired + asked by an address", (_expired, _by_address)),
    Fault("not yet valid + other name", (_early, _other_name)),
    Fault("expired + purpose", (_expired, _leaf("purposes", purposes(CLIENT)))),
    Fault("purpose + other name", (_leaf("purposes", purposes(CLIENT)), _other_name)),
    Fault("self-signed + other name", (_self_signed, _other_name)),
    Fault("self-signed + expired", (_self_signed, _expired)),
    Fault("unknown CA + expired", (_unknown, _expired)),
    Fault("unknown CA + other name", (_unknown, _other_name)),
    Fault("intermediate missing + other name", (_send("leaf"), _other_name)),
    Fault("intermediate missing + expired", (_send("leaf"), _expired)),
    Fault("expired intermediate + other name", (_issuer_expired, _other_name)),
    Fault("signed with SHA-1 + expired", (_sha1, _expired)),
)
"""Two at once: which of them a client reports."""
