"""The distinct chains of a run: commonest first, what sets each apart, and what a bad one lacks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import NamedTuple

from stress.model.chain import Refusal, Verdict
from stress.model.run import SeenChain
from stress.model.summary import ChainLine
from stress.text.escape import printable
from stress.trust.reading.certificate import describe, listed_names, short_name
from stress.trust.reading.description import differs

MOST_COMPARED = 1_000
"""Chains that are compared with the commonest; a target may have one for each connection."""


class LeafNames(NamedTuple):
    """How people call a leaf. Empty when no certificate was sent."""

    subject: str
    """Its short name."""
    issuer: str
    serial: str


@lru_cache(maxsize=16_384)
def leaf_names(leaf: bytes) -> LeafNames:
    """The names in a leaf; far smaller than all its facts, so that these of a run are kept."""
    facts = describe(leaf)
    return LeafNames(short_name(facts), printable(facts.issuer), facts.serial)


def by_frequency(chains: Sequence[SeenChain]) -> list[SeenChain]:
    """Commonest first; ties by hash, so that the order of the rows changes nothing."""
    return sorted(chains, key=lambda chain: (-chain.seen, chain.sha256))


def reference(chains: Sequence[SeenChain], good: Collection[int]) -> SeenChain | None:
    """The chain others are compared with: the commonest good one, else the commonest."""
    ordered = by_frequency(chains)
    return next((chain for chain in ordered if chain.id in good), next(iter(ordered), None))


def chain_lines(chains: Sequence[SeenChain], verdicts: Sequence[Verdict]) -> tuple[ChainLine, ...]:
    """One line for each distinct chain; `differs` compares it with the commonest."""
    ordered = by_frequency(chains)
    total = sum(chain.seen for chain in ordered)
    # Chain hash -> policy -> the categories for which its clients would refuse the chain.
    problems: dict[bytes, dict[str, tuple[str, ...]]] = {}
    for verdict in verdicts:
        refusing = [one for one in verdict.findings if one.refusal is not Refusal.NO]
        if refusing:
            categories = dict.fromkeys(one.category.value for one in refusing)
            problems.setdefault(verdict.chain, {})[verdict.policy] = tuple(categories)
    return tuple(
        ChainLine(
            sha256=chain.sha256.hex(),
            certificates=len(chain.certificates),
            subject=subject(chain),
            issuer=issuer(chain),
            seen=chain.seen,
            share=chain.seen / total if total else 0.0,
            problems=problems.get(chain.sha256, {}),
            differs=difference(ordered[0], chain) if place < MOST_COMPARED else "not compared",
        )
        for place, chain in enumerate(ordered)
    )


def subject(chain: SeenChain) -> str:
    """The leaf's short name; empty when no certificate was sent."""
    return leaf_names(chain.certificates[0]).subject if chain.certificates else ""


def issuer(chain: SeenChain) -> str:
    """The leaf's issuer; empty when no certificate was sent."""
    return leaf_names(chain.certificates[0]).issuer if chain.certificates else ""


def leaf_text(chain: SeenChain) -> str:
    """The leaf by name and serial; two leaves of one name differ."""
    if not chain.certificates:
        return "no certificate"
    return f"{subject(chain)} (serial {leaf_names(chain.certificates[0]).serial[:16]})"


def difference(common: SeenChain, other: SeenChain, *, serial: bool = True) -> str:
    """What differs, in words; empty for the same chain. Without `serial` it names none."""
    if common.sha256 == other.sha256:
        return ""
    if not other.certificates:
        return "no certificate at all"
    if not common.certificates:
        return "certificates where the commonest answer has none"
    return differs(common.certificates, other.certificates, serial=serial)


def name_drift(bad: SeenChain, good: Sequence[SeenChain]) -> str:
    """Which names the failing leaf lacks that all good ones have, and has that none of them has."""
    leaves = [describe(chain.certificates[0]) for chain in good if chain.certificates]
    if not leaves or not bad.certificates:
        return ""
    failing = describe(bad.certificates[0])
    every = [name for name in leaves[0].sans if all(name in leaf.sans for leaf in leaves)]
    known = {name for leaf in leaves for name in leaf.sans}
    extra = [name for name in failing.sans if name not in known]
    missing = [name for name in every if name not in failing.sans]
    if not missing or len(missing) == len(every):
        return ""
    words = f"it lacks {listed_names(missing)}, which the good ones have"
    return f"{words}, and has {listed_names(extra)}" if extra else words


def short(chain: SeenChain) -> str:
    """The first twelve digits of the hash: enough to find it in the table."""
    return chain.sha256.hex()[:12]
