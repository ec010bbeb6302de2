"""What object identifiers stand for: the tables of `oids.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import msgspec


@dataclass(frozen=True, slots=True)
class Tables:
    """The file; all keys of its tables are dotted identifiers."""

    critical: frozenset[str]
    """Names of the extensions that every client understands when they are critical."""
    names: Mapping[str, str]
    """Of extensions, purposes and attributes of distinguished names."""
    curves: Mapping[str, tuple[str, int]]
    """Name and bits."""
    own_algorithms: Mapping[str, tuple[str, int]]
    """Keys that are their own signature algorithm."""
    signatures: Mapping[str, tuple[str, str]]
    """Scheme and digest."""
    digests: Mapping[str, str]


@cache
def tables() -> Tables:
    """Everything in the file."""
    text = (files("stress.trust.reading") / "oids.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), Tables)


def named(identifier: str) -> str:
    """The name of an extension, purpose or attribute; the identifier if we know none."""
    return tables().names.get(identifier, identifier)
