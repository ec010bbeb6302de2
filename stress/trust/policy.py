"""What one family of clients asks of a chain, as data: one file in `policies/` each.

A new policy is a new file there and nothing else. Each file says where its facts come from.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from importlib.resources import files

import msgspec

from stress.errors import UsageError
from stress.model.verdict import Refusal
from stress.trust.reading.key import KeyKind

_LONG_AGO = date(1, 1, 1)
DAY = 86_400


class Aia(StrEnum):
    """Does it fetch an issuer that was not sent?"""

    NEVER = "never"
    HTTP = "http"
    """From http: addresses only."""


class Memory(StrEnum):
    """Which intermediates it may have, besides those sent."""

    NONE = "none"
    LEARNED = "learned"
    """Those it met in good chains since it was started."""
    PRELOADED = "preloaded"
    """All that public CAs have disclosed, and those it met."""


class CommonName(StrEnum):
    """When does the CN stand in for the subjectAltName?"""

    NEVER = "never"
    NAMES = "names"
    """For a host name, where the subjectAltName has no DNS name; never for an address."""
    ALONE = "alone"
    """For names and addresses, where the subjectAltName has neither."""


class Scope(StrEnum):
    """Under which anchors a rule holds."""

    EVERY = "every"
    PUBLIC = "public"
    """Publicly known roots."""
    NOWHERE = "none"
    PRIVATE = "private"
    """A user's own roots."""

    def holds(self, *, public: bool) -> bool:
        """Whether it covers an anchor that is (not) publicly known."""
        return self is (Scope.PUBLIC if public else Scope.PRIVATE) or self is Scope.EVERY


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A longest validity for leaves issued from a day on."""

    most_days: int
    anchors: Scope = Scope.PUBLIC
    issued_from: date = _LONG_AGO
    slack_seconds: int = 0
    refusal: Refusal = Refusal.YES

    @property
    def most_seconds(self) -> int:
        """Longest notAfter - notBefore that is accepted."""
        return self.most_days * DAY + self.slack_seconds


@dataclass(frozen=True, slots=True)
class Timestamps:
    """How many SCTs a leaf of up to this lifetime needs."""

    least: int
    most_days: int = 100_000
    issued_from: date = _LONG_AGO


@dataclass(frozen=True, slots=True)
class Presence:
    """Must a leaf have an extendedKeyUsage at all?"""

    anchors: Scope
    issued_from: date = _LONG_AGO


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of one family. The defaults are what every client does."""

    name: str
    title: str
    """Which programs it stands for."""
    asks: tuple[str, ...] = ()
    """Names of other policies: this one refuses what any of them refuses. No rules of its own."""
    mainstream: bool = False
    """Whether `any` asks it (a test keeps both in step)."""

    aia: Aia = Aia.NEVER
    memory: Memory = Memory.NONE
    partial_chain: bool = True
    """An anchor that is no self-signed root may end a path."""
    anchor_dates: bool = False
    """Whether the anchor itself must be inside its validity."""
    common_name: CommonName = CommonName.NEVER
    pins_leaf_only: bool = False

    rsa_bits: int = 1024
    ec_bits: int = 224
    leaf_keys: tuple[KeyKind, ...] = (KeyKind.RSA, KeyKind.EC)
    curves: tuple[str, ...] = ()
    """Curves it knows; empty: all."""
    weak_digests: tuple[str, ...] = ("MD2", "MD4", "MD5", "SHA-1")
    weak_digests_public_only: tuple[str, ...] = ()
    """Refused only under publicly known roots."""

    lifetimes: tuple[Lifetime, ...] = ()
    purpose_needed: tuple[Presence, ...] = ()
    any_purpose: bool = True
    """`anyExtendedKeyUsage` counts as serverAuth."""
    issuer_purpose: Scope = Scope.EVERY
    """Where an intermediate's extendedKeyUsage must allow serverAuth."""

    issuer_any_purpose: bool = True
    """There `anyExtendedKeyUsage` counts as serverAuth."""

    also_unknown: tuple[str, ...] = ()
    """OIDs of extensions that it does not understand when critical, though most others do."""

    directory_constraints: bool = True
    """It can compare directory names with name constraints; else such a critical one is unknown."""

    timestamps: tuple[Timestamps, ...] = ()
    """Empty: SCTs are not asked for."""
    timestamps_from: date = _LONG_AGO
    """Leaves issued before need none."""

    must_staple: Refusal = Refusal.NO
    bad_staple: Refusal = Refusal.NO
    revoked: Refusal = Refusal.NO
    """What a staple that says "revoked" does."""
    unreadable_issuer: Refusal = Refusal.YES
    """What an intermediate that cannot be read does."""
    duplicate_extension: Refusal = Refusal.NO
    ca_leaf: Refusal = Refusal.NO
    """What a leaf does that says it is a CA."""
    odd_address: Refusal = Refusal.NO
    """What an iPAddress of neither 4 nor 16 octets in the subjectAltName does."""


def unix(day: date) -> int:
    """The first second of a day, UTC."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


@cache
def policies() -> dict[str, Policy]:
    """All policies by name, in the order of their names."""
    found = {}
    folder = files("stress.trust") / "policies"
    for file in sorted(folder.iterdir(), key=lambda one: one.name):
        if file.name.endswith(".toml"):
            data = tomllib.loads(file.read_text("utf-8"))
            found[data["name"]] = msgspec.convert(data, Policy)
    return found


def policy_names() -> tuple[str, ...]:
    """The names that `--policy` takes."""
    return tuple(policies())


def find_policy(name: str) -> Policy:
    """The policy of this name.

    Raises:
        UsageError: there is none; the hint offers the nearest.
    """
    try:
        return policies()[name]
    except KeyError:
        near = get_close_matches(name, policies(), 1, 0.5)
        hint = f"did you mean {near[0]}? " if near else ""
        known = ", ".join(policies())
        raise UsageError(f"there is no trust policy {name!r}", f"{hint}known: {known}") from None
