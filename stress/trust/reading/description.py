"""Describes how one chain differs from the most common one, for the report of a cause."""

from __future__ import annotations

from collections.abc import Iterator

from stress.text.units import instant
from stress.trust.reading.certificate import (
    CertificateFacts,
    describe,
    listed_names,
    name_of,
    short_name,
    shown_issuer,
    shown_names,
)


def differs(
    common: tuple[bytes, ...],
    other: tuple[bytes, ...],
    *,
    at: int | None = None,
    serial: bool = True,
) -> str:
    """The difference in one line of printable text; empty if the chains are equal.

    Args:
        common: the chain that most connections received, DER, leaf first.
        other: the chain to describe.
        at: Unix seconds at which "expired" is decided; None: dates are only compared.
        serial: name the serial number of another leaf.
    """
    if common == other:
        return ""
    if not other:
        return "no certificates"
    if not common:
        return f"a chain of {len(other)} from {name_of(other[0])}, where most received none"
    facts = describe(other[0])
    if common[0] == other[0]:
        leaf = "same leaf"
    elif facts.unreadable:
        leaf = "another leaf, which cannot be parsed"
    else:
        differences = list(_leaf_differences(describe(common[0]), facts, at))
        listed = ", ".join(differences) or "with the same names and dates"
        leaf = f"another leaf {listed}" + (f" (serial {facts.serial[:40]})" if serial else "")
    # A leaf of another issuer needs other certificates above it: nothing of the usual is missing.
    if facts.issuer_name.normal != describe(common[0]).issuer_name.normal:
        return leaf
    return "; ".join([leaf, *_above(common[1:], other[1:])])


def _leaf_differences(
    common: CertificateFacts, other: CertificateFacts, at: int | None
) -> Iterator[str]:
    """What sets the other leaf apart: names, issuer and type of key; else dates, if they differ.

    Leaves that are made apart always have other dates, so these count only where nothing else does.
    """
    told = False
    if missing := names_apart(common, other):
        told = True
        yield missing
    elif set(common.sans) != set(other.sans) or common.common_name != other.common_name:
        told = True
        yield f"for {shown_names(other)}"
    if other.self_issued and not common.self_issued:
        told = True
        yield "self-signed"
    elif common.issuer_name.normal != other.issuer_name.normal:
        told = True
        yield f"from {shown_issuer(other)} instead of {shown_issuer(common)}"
    ends, instead = instant(other.not_after), instant(common.not_after)
    if at is not None and at > other.not_after:
        yield f"expired {ends[:10]}"
    elif not told and ends[:10] != instead[:10]:
        yield f"valid until {ends[:10]} instead of {instead[:10]}"
    elif not told and ends != instead:
        yield f"valid until {ends} instead of {instead}"
    if common.key != other.key:
        yield f"with a key {other.key} instead of {common.key}"
    elif common.spki_sha256 != other.spki_sha256:
        yield "with another key"


def names_apart(common: CertificateFacts, other: CertificateFacts) -> str:
    """The names that the other leaf lacks and has beside them; empty where none is shared."""
    missing = [name for name in common.sans if name not in other.sans]
    extra = [name for name in other.sans if name not in common.sans]
    if len(missing) == len(common.sans):
        return ""
    parts = [
        f"{word} {listed_names(names)}"
        for word, names in (("without", missing), ("also for", extra))
        if names
    ]
    return " and ".join(parts)


def _above(common: tuple[bytes, ...], other: tuple[bytes, ...]) -> Iterator[str]:
    """What is missing, replaced, added, repeated or moved above the leaf."""
    missing = [der for der in dict.fromkeys(common) if der not in other]
    added = [der for der in dict.fromkeys(other) if der not in common]
    for old, new in zip(missing, added, strict=False):
        yield f"{_role(new)} {_distinct(new, old)} instead of {_distinct(old, new)}"
    for der in missing[len(added) :]:
        yield f"{_role(der)} {short_name(describe(der))} missing"
    for der in added[len(missing) :]:
        yield f"one more certificate, {short_name(describe(der))}"
    if not missing and not added and common != other:
        repeated = len(common) != len(other)
        yield "certificates repeated" if repeated else "the issuers in another order"


def _role(der: bytes) -> str:
    return "root" if describe(der).self_issued else "intermediate"


def _distinct(der: bytes, against: bytes) -> str:
    """The name; if both have the same, with the date or serial number that differs."""
    facts, twin = describe(der), describe(against)
    name = short_name(facts)
    if name != short_name(twin) or facts.unreadable:
        return name
    if facts.not_after != twin.not_after:
        return f"{name} (until {instant(facts.not_after)[:10]})"
    return f"{name} (serial {facts.serial[:20]})"
