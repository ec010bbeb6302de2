"""Says in words how one chain differs from the commonest one, for the report of a cause."""

from __future__ import annotations

from collections.abc import Iterator

from stress.text.datetimes import instant
from stress.text.escape import printable
from stress.trust.reading.certificate import CertificateFacts, describe, name_of, short_name

_MOST_NAMES = 3


def differs(common: tuple[bytes, ...], other: tuple[bytes, ...], *, at: int | None = None) -> str:
    """The difference in one line of printable words; empty when the chains are equal.

    Args:
        common: the chain that most connections got, DER, leaf first.
        other: the chain to describe.
        at: Unix seconds at which "expired" is decided; None: dates are only compared.
    """
    if common == other:
        return ""
    if not other:
        return "no certificate at all"
    if not common:
        return f"a chain of {len(other)} from {name_of(other[0])}, where most got none"
    same = common[0] == other[0]
    leaf = "same leaf" if same else _leaf(describe(common[0]), describe(other[0]), at)
    return "; ".join([leaf, *_above(common[1:], other[1:])])


def _leaf(common: CertificateFacts, other: CertificateFacts, at: int | None) -> str:
    """What sets the other leaf apart: names first, then dates, issuer, key; always the serial."""
    if other.unreadable:
        return "another leaf, which cannot be read"
    told = list(_leaf_differences(common, other, at)) or ["with the same names and dates"]
    return f"another leaf {', '.join(told)} (serial {other.serial[:40]})"


def _leaf_differences(
    common: CertificateFacts, other: CertificateFacts, at: int | None
) -> Iterator[str]:
    if set(common.sans) != set(other.sans) or common.common_name != other.common_name:
        yield f"for {_names(other)}"
    if other.self_issued and not common.self_issued:
        yield "signed by itself"
    elif common.issuer_name.normal != other.issuer_name.normal:
        yield f"from {_issuer(other)} instead of {_issuer(common)}"
    if at is not None and at > other.not_after:
        yield f"expired {instant(other.not_after)[:10]}"
    elif common.not_after != other.not_after:
        yield _ends(common.not_after, other.not_after)
    if common.key != other.key:
        yield f"with a key {other.key} instead of {common.key}"
    elif common.spki_sha256 != other.spki_sha256:
        yield "with another key"


def _ends(common: int, other: int) -> str:
    """Until when, by the day; by the second where both end on the same day."""
    ends, instead = instant(other), instant(common)
    if ends[:10] != instead[:10]:
        ends, instead = ends[:10], instead[:10]
    return f"valid until {ends} instead of {instead}"


def _names(facts: CertificateFacts) -> str:
    names = facts.sans or ((facts.common_name,) if facts.common_name else ())
    shown = ", ".join(printable(name, 60) for name in names[:_MOST_NAMES])
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"{shown}{more}" if shown else "no name"


def _issuer(facts: CertificateFacts) -> str:
    name = facts.issuer_name
    return printable(name.common_name or name.text, 60) or "no issuer"


def _above(common: tuple[bytes, ...], other: tuple[bytes, ...]) -> Iterator[str]:
    """What is missing, replaced, added, repeated or moved above the leaf."""
    missing = [der for der in dict.fromkeys(common) if der not in other]
    added = [der for der in dict.fromkeys(other) if der not in common]
    for old, new in zip(missing, added, strict=False):
        yield f"{_kind(new)} {_told(new, old)} instead of {_told(old, new)}"
    for der in missing[len(added) :]:
        yield f"{_kind(der)} {short_name(describe(der))} missing"
    for der in added[len(missing) :]:
        yield f"one more certificate, {short_name(describe(der))}"
    if missing or added or common == other:
        return
    repeated = len(common) != len(other)
    yield "certificates repeated" if repeated else "the issuers in another order"


def _told(der: bytes, against: bytes) -> str:
    """The name, with what tells it apart where both have the same one."""
    facts, twin = describe(der), describe(against)
    name = short_name(facts)
    if name != short_name(twin) or facts.unreadable:
        return name
    if facts.not_after != twin.not_after:
        return f"{name} (until {instant(facts.not_after)[:10]})"
    return f"{name} (serial {facts.serial[:20]})"


def _kind(der: bytes) -> str:
    return "root" if describe(der).self_issued else "intermediate"
