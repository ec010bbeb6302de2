"""Finds the root causes that fit the evidence: category, place, course over time, load, chains.

The catalogue is data (`likely.toml`). This module collects the evidence and matches it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.resources import files
from math import inf

import msgspec

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


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Evidence for a root cause; an empty list matches everything."""

    categories: tuple[str, ...]
    loci: tuple[str, ...] = ()
    shapes: tuple[str, ...] = ()
    loads: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    excluded_by: tuple[str, ...] = ()
    bonus: int = 0


class Root(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A root cause of the catalogue."""

    id: str
    text: str
    fix: str
    excluded_by: tuple[str, ...] = ()
    broad: tuple[str, ...] = ()
    """Categories for which it is named when no rule of any cause matches."""
    when: tuple[Rule, ...] = ()


@lru_cache(maxsize=1)
def catalogue() -> Mapping[str, Root]:
    """The catalogue by id, in the order of its file."""
    text = files("stress.analysis.causes").joinpath("likely.toml").read_text("utf-8")
    roots = msgspec.convert(tomllib.loads(text)["cause"], tuple[Root, ...])
    return {root.id: root for root in roots}


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
    roots, facts = catalogue().values(), set(signs.facts)
    allowed = [root for root in roots if not facts & set(root.excluded_by)]
    scores = {
        root.id: max((_score(rule, signs) for rule in root.when), default=-inf) for root in allowed
    }
    # The sort keeps the order of the catalogue where two are supported equally well.
    best = sorted(scores, key=lambda name: -scores[name])
    fitting = [name for name in best if scores[name] > -inf]
    broad = [root.id for root in roots if _matches(root.broad, signs.category)]
    return tuple((fitting or [name for name in broad if name in scores] or broad)[:MOST])


def _matches(patterns: Sequence[str], category: str) -> bool:
    return any(fnmatchcase(category, pattern) for pattern in patterns)


def _score(rule: Rule, signs: Signs) -> float:
    """How many lists of a rule match; minus infinity when one of them does not."""
    if not _matches(rule.categories, signs.category) or set(rule.excluded_by) & set(signs.facts):
        return -inf

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
        return -inf
    # What happened in time says more than where: there is always a place.
    timed = bool(rule.shapes) and signs.shape != STEADY
    return len(given) + rule.bonus + (TIMED if timed else 0)


def _holding(facts: Mapping[str, bool]) -> set[str]:
    return {name for name, holds in facts.items() if holds}


def facts_of_the_plan(plan: Plan) -> set[str]:
    """What was tested, as far as it supports or excludes a root cause."""
    senders = [client.server_name and plan.server_name is not None for client in plan.clients]
    return _holding(
        {
            "one-address": len(plan.addresses) == 1,
            "no-sni": not any(senders),
            "sni-always-sent": all(senders),
            "client-certificate-sent": bool(plan.client_certificate),
            "private-ca": plan.trust.private,
            "starttls-port": plan.target.port in STARTTLS_PORTS,
        }
    )


def facts_of_the_place(place: Mapping[str, str], plan: Plan) -> set[str]:
    """What the conditions of a claim, and their aliases, say.

    Args:
        place: dimension and value of each.
        plan: of the run.
    """
    named = [client for client in plan.clients if client.name == place.get("client")]
    old = any(TLS_1_3 not in client.versions for client in named)
    # Only post-quantum key shares, which need TLS 1.3, make a hello of two segments.
    groups = {group for client in named for group in (*client.groups, *client.key_shares)}
    return _holding(
        {
            "at-some-addresses": bool(_ADDRESSES & set(place)),
            "follows-client": bool(named),
            "small-hello": old or bool(groups and not groups & POST_QUANTUM),
            "old-tls": old,
            "no-sni": place.get("sni") == "none" or not all(one.server_name for one in named),
        }
    )


def facts_of_the_chain(
    chain: SeenChain, usual: SeenChain | None, anchors: Sequence[bytes]
) -> set[str]:
    """What the failing chain shows, by itself and beside the usual good one."""
    if not chain.certificates:
        return set()
    leaf, *above = [describe(der) for der in chain.certificates]
    sent = {one.subject for one in above}
    found = {
        "several-sent": bool(above),
        "leaf-only": not above,
        "self-signed": leaf.self_issued,
        "issuer-not-sent": bool(above) and above[-1].issuer not in {leaf.issuer, *sent},
        "same-issuer-name": leaf.issuer in sent | {describe(der).subject for der in anchors},
    }
    if usual is not None and usual.certificates and usual.sha256 != chain.sha256:
        expected = describe(usual.certificates[0])
        names, others = set(leaf.sans), set(expected.sans)
        found |= {
            "usual-differs": True,
            "same-issuer-as-usual": leaf.issuer == expected.issuer,
            "same-key-type": leaf.key.split()[0] == expected.key.split()[0],
            "same-names": names == others,
            "shares-a-name": names != others and bool(names & others),
        }
    return _holding(found)


def facts_of_the_verdicts(verdicts: Collection[Verdict]) -> set[str]:
    """What the verdicts on the failing chain say: of its name, and by versions of root stores."""
    findings = [one for verdict in verdicts for one in verdict.findings]
    refusing = [
        one.versions
        for one in findings
        if one.refusal is Refusal.SOMETIMES and one.category is Category.UNTRUSTED_ROOT
    ]
    nameless = {Category.HOSTNAME_MISMATCH, Category.NO_SAN, Category.MALFORMED_CERTIFICATE}
    named = bool(findings) and all(verdict.host for verdict in verdicts)
    newer = any("≥" in versions for versions in refusing)
    older = any("<" in versions or "≤" in versions for versions in refusing)
    return _holding(
        {
            "names-the-host": named and nameless.isdisjoint(one.category for one in findings),
            "newer-stores-refuse": newer,
            "older-stores-refuse": older,
        }
    )


def facts_of_the_clients(views: Mapping[str, ClientView]) -> set[str]:
    """Which client families accept the chain all the same."""
    refusing = {family for family, view in views.items() if view.fails == "yes"}
    accepted = any(view.fails == "no" for view in views.values())
    strict = accepted and bool(refusing) and refusing <= STRICT_CLIENTS
    return _holding({"some-families-accept": accepted, "strict-clients-only": strict})
