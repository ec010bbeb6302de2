"""Judges a chain: one policy, one host, one time, all findings and one headline.

Pure: no clock and no network. The same judge asked twice says the same, unless it has met further
chains in between (`meet`), which only sharpens the reason why a chain is incomplete.

How it goes: the chain's paths are built once and kept for the last chains seen; each policy then
puts its rules to every complete path and takes the path with the least against it, as clients do
that look for another path when one fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from stress.codes.catalog import POLICY_OF
from stress.model.chain import chain_hash
from stress.model.client import NO_POLICY
from stress.model.outcome import Category
from stress.model.verdict import Finding, Refusal, Verdict
from stress.trust.anchors import Anchors
from stress.trust.path import Issuers, Path, Paths, build_paths
from stress.trust.policy import Policy, find_policy
from stress.trust.reading.certificate import CertificateFacts, describe
from stress.trust.rules.context import Context
from stress.trust.rules.identity import constraint_findings, name_findings
from stress.trust.rules.keys import key_findings, pin_findings, signature_findings
from stress.trust.rules.staple import staple_findings
from stress.trust.rules.transparency import timestamp_findings
from stress.trust.rules.usage import (
    extension_findings,
    issuer_findings,
    leaf_findings,
    purpose_findings,
)
from stress.trust.rules.validity import lifetime_findings, time_findings
from stress.trust.structure import Gap, find_gap, malformed

_RULES: tuple[Callable[[Context], Iterator[Finding]], ...] = (
    key_findings,
    signature_findings,
    extension_findings,
    issuer_findings,
    leaf_findings,
    constraint_findings,
    purpose_findings,
    name_findings,
    time_findings,
    lifetime_findings,
    timestamp_findings,
    staple_findings,
)

_STRENGTH = {Refusal.NO: 0, Refusal.SOMETIMES: 1, Refusal.YES: 2}
_KEPT = 64
"""Chains whose paths are remembered."""
_TOLD = 50
"""Findings of one verdict."""
_MET = 1_000
"""Certificates of other chains that are remembered."""


@dataclass(frozen=True, slots=True)
class _Built:
    """What is the same for every policy."""

    sent: tuple[CertificateFacts, ...]
    paths: Paths
    gap: Gap | None
    """Why there is no complete path; None: there is one."""


class Judge:
    """Judges chains against one set of anchors.

    Args:
        anchors: where paths may end; parsed at the first chain.
        pins: SHA-256 of acceptable public keys; empty: no pinning.
    """

    def __init__(self, anchors: Anchors, *, pins: Sequence[bytes] = ()) -> None:
        self._given = anchors
        self._pins = tuple(pins)
        self._anchors: Issuers | None = None
        self._public: frozenset[bytes] = frozenset()
        self._met: dict[bytes, None] = {}
        self._known = Issuers()
        self._built: dict[tuple[bytes, ...], _Built] = {}

    def meet(self, certificates: Iterable[bytes]) -> None:
        """Remembers the CA certificates of a chain of this run.

        An intermediate that one node forgets is then known by name from its siblings. Verdicts stay
        about the chain as it was sent: what was met never completes a path.
        """
        for der in certificates:
            if der in self._met or len(self._met) >= _MET:
                continue
            facts = describe(der)
            if facts.is_ca and not facts.unreadable:
                self._met[der] = None
                self._known.add(facts)
                self._built.clear()

    def judge(
        self,
        certificates: tuple[bytes, ...],
        *,
        host: str,
        at: int,
        policy: str,
        staple: bytes | None = None,
        scts: bytes | None = None,
    ) -> Verdict:
        """The verdict of one policy. Never raises for what the certificates are.

        Args:
            certificates: DER, leaf first, as sent; an empty list is malformed.
            host: the name or address that was asked for; empty: names are not compared.
            at: Unix seconds to judge for.
            policy: one of `policy_names()`.
            staple: the stapled OCSP response; empty: asked for, none came; None: not asked.
            scts: the SCT list of the TLS extension, as sent.

        Raises:
            UsageError: no such policy.
        """
        rules = find_policy(policy)
        asked = [find_policy(name) for name in rules.asks]
        if not asked:
            asked = [] if policy == NO_POLICY else [rules]
        answers = {one.name: self._ask(one, certificates, host, at, staple, scts) for one in asked}
        refusing = tuple(name for name, found in answers.items() if _strongest(found) > 0)
        return Verdict(
            chain_hash(certificates),
            policy,
            host,
            at,
            _merged(answers.values()),
            refusing if rules.asks else (),
        )

    def verdicts(
        self, certificates: tuple[bytes, ...], *, host: str, at: int, policies: Iterable[str]
    ) -> dict[str, Verdict]:
        """The verdicts of these policies, by their names; the policy `none` has none.

        Of a chain that one of them refuses, those of every client family, too: who would see it?

        Raises:
            UsageError: no such policy.
        """
        asked = sorted(set(policies) - {NO_POLICY})
        answers = {name: self.judge(certificates, host=host, at=at, policy=name) for name in asked}
        if any(answer.headline is not None for answer in answers.values()):
            for name in dict.fromkeys(POLICY_OF.values()):
                if name not in answers:
                    answers[name] = self.judge(certificates, host=host, at=at, policy=name)
        return answers

    def last_link(self, certificates: tuple[bytes, ...]) -> CertificateFacts | None:
        """The certificate whose issuer did not come; None: there is a path, or no leaf."""
        built = self._paths(certificates)
        if built.paths.complete or not built.paths.longest.links:
            return None
        return built.paths.longest.top.facts

    def _ask(
        self,
        policy: Policy,
        certificates: tuple[bytes, ...],
        host: str,
        at: int,
        staple: bytes | None,
        scts: bytes | None,
    ) -> list[Finding]:
        """All findings of one family."""
        built = self._paths(certificates)
        found = list(malformed(built.sent, policy))
        if not built.paths.longest.links:
            return found
        question = Context(
            policy,
            built.paths.longest,
            anchored=False,
            public=False,
            host=host,
            at=at,
            staple=staple,
            scts=scts,
        )
        usable = [path for path in built.paths.complete if _ends(path, policy)]
        answers = [list(self._rules(self._along(question, path))) for path in usable]
        if answers:
            return found + min(answers, key=_weight)
        gap = built.gap or _no_root(built.paths.complete[0])
        return [*found, gap.finding(policy), *self._rules(question)]

    def _along(self, question: Context, path: Path) -> Context:
        public = path.top.facts.sha256 in self._public
        return replace(question, path=path, anchored=True, public=public)

    def _rules(self, question: Context) -> Iterator[Finding]:
        for rule in _RULES:
            yield from rule(question)
        yield from pin_findings(question, self._pins)

    def _paths(self, certificates: tuple[bytes, ...]) -> _Built:
        """The paths of a chain; those of the last chains are kept."""
        built = self._built.get(certificates)
        if built is None:
            built = self._build(certificates)
            if len(self._built) >= _KEPT:
                self._built.pop(next(iter(self._built)))
            self._built[certificates] = built
        return built

    def _build(self, certificates: tuple[bytes, ...]) -> _Built:
        if self._anchors is None:
            self._anchors = Issuers(self._given.certificates)
            self._public = self._given.known_publicly()
        sent = tuple(describe(der) for der in certificates) or (describe(b""),)
        if sent[0].unreadable:
            return _Built(sent, Paths((), Path(()), ()), None)
        paths = build_paths(sent, self._anchors)
        gap = None
        if not paths.complete:
            private = self._given.private
            gap = find_gap(sent, paths, self._anchors, self._known, private=private)
        return _Built(sent, paths, gap)


def _ends(path: Path, policy: Policy) -> bool:
    """Whether the policy lets a path end there."""
    return policy.partial_chain or path.top.facts.self_issued or len(path.links) == 1


def _no_root(path: Path) -> Gap:
    """The anchor is an intermediate, and the policy wants a root."""
    detail = "the path ends in an anchor that is no self-signed root"
    return Gap(Category.UNTRUSTED_ROOT, path.top.position, detail)


def _strongest(found: Iterable[Finding]) -> int:
    return max((_STRENGTH[one.refusal] for one in found), default=0)


def _weight(found: list[Finding]) -> tuple[int, int]:
    """How much speaks against a path: first how strongly, then how often."""
    return _strongest(found), sum(one.refusal is not Refusal.NO for one in found)


def _merged(answers: Iterable[list[Finding]]) -> tuple[Finding, ...]:
    """All findings, each once with its strongest refusal, the headline first."""
    best: dict[tuple[Category, int | None, str], Finding] = {}
    for one in (one for found in answers for one in found):
        key = (one.category, one.position, one.detail)
        if key not in best or _STRENGTH[one.refusal] > _STRENGTH[best[key].refusal]:
            best[key] = one
    return tuple(sorted(best.values(), key=_order)[:_TOLD])


def _order(finding: Finding) -> tuple[int, int, int]:
    """What is refused for certain before what is refused sometimes, notes last."""
    place = 99 if finding.position is None else finding.position
    return -_STRENGTH[finding.refusal], finding.category.precedence, place
