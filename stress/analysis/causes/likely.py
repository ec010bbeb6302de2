"""Finds the root causes that fit the evidence: category, place, course over time, load, chains.

The catalogue is data (`likely.toml`). This module collects the evidence and matches it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.resources import files
from typing import Any

from stress.model.chain import Refusal, Verdict
from stress.model.outcome import Category
from stress.model.plan import Plan
from stress.model.run import SeenChain
from stress.model.summary import ClientView
from stress.trust.reading.certificate import describe

MOST = 4
TIMED = 2
STEADY = "constant"
STRICT_CLIENTS = frozenset({"go", "python"})
STARTTLS_PORTS = frozenset({21, 24, 25, 110, 119, 143, 389, 587, 3306, 4190, 5222, 5269, 5432})
TLS_1_3 = 0x0304
POST_QUANTUM = frozenset({0x11EB, 0x11EC, 0x11ED, 0x6399})
"""Key exchanges with ML-KEM, whose shares are longer than 1,100 bytes."""
_ADDRESSES = frozenset({"address", "label", "family"})


@dataclass(frozen=True, slots=True)
class Rule:
    """Evidence for a root cause; an empty list matches everything."""

    categories: tuple[str, ...] = ()
    loci: tuple[str, ...] = ()
    shapes: tuple[str, ...] = ()
    loads: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    excluded_by: tuple[str, ...] = ()
    bonus: int = 0


@dataclass(frozen=True, slots=True)
class Root:
    """A root cause of the catalogue."""

    id: str
    text: str
    fix: str
    excluded_by: tuple[str, ...]
    broad: tuple[str, ...]
    """Categories for which it is named when no rule of any cause matches."""
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Signs:
    """What a finding looks like."""

    category: str
    loci: Collection[str]
    """Dimensions of its conditions and aliases; `chain` or `none` when there are no conditions."""
    shape: str
    load: str | None = None
    """`independent` or `dependent`; None: not known, which matches neither."""
    stages: Collection[str] = ()
    """How far the failing connections came."""
    subject: str = ""
    """Subject and issuer of the failing certificate."""
    differs: str = ""
    facts: Collection[str] = ()
    """What else is known, such as `one-address`; the functions below name all of them."""


def likely(signs: Signs) -> tuple[str, ...]:
    """The ids of the root causes that fit, the best supported first; at most four.

    Never empty for a failure: where no rule matches, the broad causes of its category are named.
    """
    scored: list[tuple[int, int, str]] = []
    for place, root in enumerate(catalogue().values()):
        if not set(root.excluded_by) & set(signs.facts):
            scores = [score for rule in root.rules if (score := _score(rule, signs)) is not None]
            if scores:
                scored.append((-max(scores), place, root.id))
    if scored:
        return tuple(name for _, _, name in sorted(scored)[:MOST])
    broad = [one for one in catalogue().values() if _matches(one.broad, signs.category)]
    allowed = [one for one in broad if not set(one.excluded_by) & set(signs.facts)]
    return tuple(root.id for root in (allowed or broad)[:MOST])


def _matches(patterns: Sequence[str], category: str) -> bool:
    return any(fnmatchcase(category, pattern) for pattern in patterns)


def _score(rule: Rule, signs: Signs) -> int | None:
    """How many lists of a rule match; None when one of them does not."""
    if not _matches(rule.categories, signs.category) or set(rule.excluded_by) & set(signs.facts):
        return None

    def contains(parts: tuple[str, ...], text: str) -> bool:
        return any(part in text.casefold() for part in parts)

    tested = (
        (rule.loci, bool(set(rule.loci) & set(signs.loci))),
        (rule.shapes, signs.shape in rule.shapes),
        (rule.loads, signs.load in rule.loads),
        (rule.stages, bool(signs.stages) and set(signs.stages) <= set(rule.stages)),
        (rule.subjects, contains(rule.subjects, signs.subject)),
        (rule.differs, contains(rule.differs, signs.differs)),
        (rule.needs, set(rule.needs) <= set(signs.facts)),
    )
    given = [matches for wanted, matches in tested if wanted]
    if not all(given):
        return None
    # What happened in time says more than where: there is always a place.
    timed = bool(rule.shapes) and signs.shape != STEADY
    return len(given) + rule.bonus + (TIMED if timed else 0)


@lru_cache(maxsize=1)
def catalogue() -> Mapping[str, Root]:
    """The catalogue by id, in the order of its file."""
    from tomllib import loads  # noqa: PLC0415 - only a failing run needs it

    def rule(entry: Mapping[str, Any]) -> Rule:
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()
        }
        return Rule(**fields)

    text = files("stress.analysis.causes").joinpath("likely.toml").read_text("utf-8")
    return {
        entry["id"]: Root(
            id=entry["id"],
            text=entry["text"],
            fix=entry["fix"],
            excluded_by=tuple(entry.get("excluded_by", ())),
            broad=tuple(entry.get("broad", ())),
            rules=tuple(map(rule, entry.get("when", ()))),
        )
        for entry in loads(text)["cause"]
    }


def facts_of_the_plan(plan: Plan) -> Iterator[str]:
    """What was tested, as far as it supports or excludes a root cause."""
    if len(plan.addresses) == 1:
        yield "one-address"
    senders = [client.server_name and plan.server_name is not None for client in plan.clients]
    if not any(senders):
        yield "no-sni"
    elif all(senders):
        yield "sni-always-sent"
    if plan.client_certificate:
        yield "client-certificate-sent"
    if plan.trust.private:
        yield "private-ca"
    if plan.target.port in STARTTLS_PORTS:
        yield "starttls-port"


def facts_of_the_place(place: Mapping[str, str], plan: Plan) -> Iterator[str]:
    """What the conditions of a claim, and their aliases, say.

    Args:
        place: dimension and value of each.
        plan: of the run.
    """
    if _ADDRESSES & set(place):
        yield "at-some-addresses"
    if place.get("sni") == "none":
        yield "no-sni"
    for client in plan.clients if "client" in place else ():
        if client.name == place["client"]:
            yield "follows-client"
            # Only post-quantum key shares, which need TLS 1.3, make a hello of two segments.
            groups = {*client.groups, *client.key_shares}
            if TLS_1_3 not in client.versions or (groups and not groups & POST_QUANTUM):
                yield "small-hello"
            if TLS_1_3 not in client.versions:
                yield "old-tls"
            if not client.server_name:
                yield "no-sni"


def facts_of_the_chain(
    chain: SeenChain, usual: SeenChain | None, anchors: Sequence[bytes]
) -> Iterator[str]:
    """What the failing chain shows, by itself and beside the usual good one."""
    if not chain.certificates:
        return
    leaf, *above = [describe(der) for der in chain.certificates]
    yield "several-sent" if above else "leaf-only"
    if leaf.self_issued:
        yield "self-signed"
    sent = {one.subject for one in above}
    if above and above[-1].issuer not in {leaf.issuer, *sent}:
        yield "issuer-not-sent"
    if leaf.issuer in sent | {describe(der).subject for der in anchors}:
        yield "same-issuer-name"
    if usual is not None and usual.certificates and usual.sha256 != chain.sha256:
        expected = describe(usual.certificates[0])
        yield "usual-differs"
        if leaf.issuer == expected.issuer:
            yield "same-issuer-as-usual"
        if leaf.key.split()[0] == expected.key.split()[0]:
            yield "same-key-type"
        if set(leaf.sans) == set(expected.sans):
            yield "same-names"
        elif set(leaf.sans) & set(expected.sans):
            yield "shares-a-name"


def facts_of_the_stores(verdicts: Iterable[Verdict]) -> Iterator[str]:
    """Which versions of the families' root stores refuse the failing chain, and others do not."""
    for one in (one for verdict in verdicts for one in verdict.findings):
        if one.refusal is Refusal.SOMETIMES and one.category is Category.UNTRUSTED_ROOT:
            if "≥" in one.versions:
                yield "newer-stores-refuse"
            elif "<" in one.versions or "≤" in one.versions:
                yield "older-stores-refuse"


def facts_of_the_clients(views: Mapping[str, ClientView]) -> Iterator[str]:
    """Which client families accept the chain all the same."""
    refusing = {family for family, view in views.items() if view.fails == "yes"}
    if any(view.fails == "no" for view in views.values()):
        yield "some-families-accept"
        if refusing and refusing <= STRICT_CLIENTS:
            yield "strict-clients-only"
