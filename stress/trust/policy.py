"""How one family of clients judges a chain, as data: one file in `policies/` each.

A new policy is a new file there and nothing else; each file names its sources. `Policy` holds what
decides how paths are built and where they may end. All other keys belong to the rules: each module
in `rules/` declares the keys that it reads in a class of its own (`Settings`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Literal, TypeVar

import msgspec

from stress.errors import UsageError
from stress.text.escape import did_you_mean

LONG_AGO = date(1, 1, 1)


class Aia(StrEnum):
    """Whether a client fetches an issuer that was not sent."""

    NEVER = "never"
    HTTP = "http"
    """From http: URLs only."""


class Memory(StrEnum):
    """Which intermediates a client may have besides those sent."""

    NONE = "none"
    LEARNED = "learned"
    """Those it saw in good chains since it was started."""
    PRELOADED = "preloaded"
    """All that public CAs have disclosed, and those it saw."""


class Scope(StrEnum):
    """Under which anchors a rule applies."""

    EVERY = "every"
    PUBLIC = "public"
    """Publicly trusted roots."""
    NOWHERE = "none"
    PRIVATE = "private"
    """A user's own roots."""

    def covers(self, *, public: bool) -> bool:
        """Whether it covers an anchor that is (not) publicly trusted."""
        return self is (Scope.PUBLIC if public else Scope.PRIVATE) or self is Scope.EVERY


class PathSearch(StrEnum):
    """How a client finds a path."""

    EVERY = "every"
    """It tries another path when one fails."""
    NAMED = "named"
    """The same, by names alone: signatures are verified when a path has ended in an anchor."""
    FIRST = "first"
    """It selects one path before it verifies anything (`selection.py`)."""
    LINED_UP = "lined-up"
    """It lines up what was sent behind the leaf, and looks for an anchor behind the last."""
    ORDERED = "ordered"
    """It takes a chain that was sent in order as it is, and searches only else."""


class CheckStage(msgspec.Struct, frozen=True):
    """Checks that a client makes together, certificate by certificate."""

    checks: tuple[str, ...]
    """Categories in the order of the checks; `signature` for one that does not fit its issuer,
    `unusable` for an odd part without a path."""
    of: Literal["path", "leaf", "issuers"] = "path"
    from_root: bool = False
    """It begins at the root."""
    below: tuple[str, ...] = ()
    """Checks that are made with the certificate below the one that is at fault."""
    at_leaf: tuple[str, ...] = ()
    """Checks that are made with the leaf."""
    unless: tuple[str, ...] = ()
    """It does not come when one of these checks has failed."""
    edges: bool = False
    """The algorithm of a signature is checked with its issuer, not with the certificate."""


class StoreUse(msgspec.Struct, frozen=True):
    """A root store that the clients of a policy may have; `stores.db` has its versions."""

    family: str
    oldest: str = ""
    """The oldest version in use; a refusal by older ones is only noted."""
    newest: str = ""
    """The newest that these clients can have; empty: any."""


class Settings(msgspec.Struct, frozen=True):
    """The keys of a policy file that one module of rules reads; its defaults suit every client."""


_S = TypeVar("_S", bound=Settings)


@dataclass(frozen=True, slots=True)
class Policy:
    """One client family. The defaults are what every client does."""

    name: str
    title: str
    """Which programs it stands for."""
    families: tuple[str, ...] = ()
    """Names of other policies: this one rejects what any of them rejects. No rules of its own."""
    mainstream: bool = False
    """Whether `any` includes it (a test keeps both in step)."""

    aia: Aia = Aia.NEVER
    memory: Memory = Memory.NONE
    stores: tuple[StoreUse, ...] = ()
    """Its root stores; empty: this machine's alone."""
    system: bool = False
    """It takes the roots of the system, so that this machine's store is one of its stores."""
    partial_chain: bool = True
    """A path may end in an anchor that is not a self-signed root."""

    end_ignored: bool = False
    """Octets behind a certificate are ignored."""
    search: PathSearch = PathSearch.EVERY
    schemes: tuple[str, ...] = ("RSA", "RSA-PSS", "ECDSA", "Ed25519", "Ed448")
    """How issuers may sign."""
    last_error: bool = False
    """Of the paths that fail, the last one tried is reported; else the one with the least against
    it."""
    agreeing_issuers: bool = False
    """Where the possible issuers fail for different reasons, it reports that there is none."""
    order: tuple[CheckStage, ...] = ()
    """The stages of its checks: the first that fails is what it reports. Empty: the categories'
    own precedence."""

    keys: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)
    """Everything in the file, for `settings`."""

    _read: dict[type, object] = field(default_factory=dict, compare=False, repr=False)

    def settings(self, kind: type[_S]) -> _S:
        """What this policy's file says for one class of settings."""
        found = self._read.get(kind)  # rules read their settings for every path
        if found is None:
            found = self._read[kind] = msgspec.convert(self.keys, kind)
        assert isinstance(found, kind)
        return found


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
            found[data["name"]] = msgspec.convert({**data, "keys": data}, Policy)
    return found


def policy_names() -> tuple[str, ...]:
    """The names that `--policy` takes."""
    return tuple(policies())


def find_policy(name: str) -> Policy:
    """The policy of this name.

    Raises:
        UsageError: there is none; the hint offers the nearest.
    """
    known = policies()
    if name not in known:
        raise UsageError(f"there is no trust policy {name!r}", did_you_mean(name, known))
    return known[name]
