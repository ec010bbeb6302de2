"""Judges a chain: one policy, one host, one time, all findings and one headline.

Pure: no clock and no network. The same judge gives the same verdict twice, unless it has seen other
chains in between (`meet`), which only sharpens the reason why a chain is incomplete.

The paths of a chain are built once and kept for the latest chains. Each policy then applies its
rules to every complete path and takes the one with the least against it, like clients that try
another path when one fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pkgutil import iter_modules

from stress.codes.catalog import POLICY_OF
from stress.model.chain import Finding, Refusal, Verdict, chain_hash
from stress.model.outcome import Category
from stress.model.plan import NO_POLICY
from stress.trust.anchors import Anchors
from stress.trust.encoding import EncodingSettings, encoding_findings
from stress.trust.path import Gap, Issuers, Path, Paths, build_paths, find_gap
from stress.trust.policy import PathSearch, find_policy
from stress.trust.reading.certificate import CertificateFacts, describe
from stress.trust.reading.strict import strict_problems
from stress.trust.rules.context import Context, Rule
from stress.trust.selection import in_order, select, selection_gap

_RULES: tuple[Rule, ...] = tuple(
    rule
    for module in iter_modules(import_module("stress.trust.rules").__path__)
    for rule in getattr(import_module(f"stress.trust.rules.{module.name}"), "RULES", ())
)
"""Every rule of the modules in `rules/`. Their order does not matter."""

_STRENGTH = {Refusal.NO: 0, Refusal.SOMETIMES: 1, Refusal.YES: 2}
_KEPT = 64
"""Chains whose paths are kept."""
_MOST_FINDINGS = 50
"""Findings of one verdict."""
_MOST_KNOWN = 1_000
"""Certificates of other chains that are remembered."""


@dataclass(frozen=True, slots=True)
class _Built:
    """What is the same for every policy."""

    sent: tuple[CertificateFacts, ...]
    paths: Paths


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

        An intermediate that one node does not send is then known by name from the other nodes.
        Verdicts remain about the chain as sent: what other chains contain never completes a path.
        """
        for der in certificates:
            if der in self._met or len(self._met) >= _MOST_KNOWN:
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
            host: the name or address requested; empty: names are not compared.
            at: Unix seconds to judge for.
            policy: one of `policy_names()`.
            staple: the stapled OCSP response; empty: requested, none was sent; None: not requested.
            scts: the SCT list of the TLS extension, as sent.

        Raises:
            UsageError: there is no such policy.
        """
        chosen = find_policy(policy)
        if policy == NO_POLICY:
            return Verdict(chain_hash(certificates), policy, host, at, (), ())
        families = [find_policy(name) for name in chosen.families] or [chosen]
        built = self._paths(certificates)
        longest = built.paths.longest
        context = Context(chosen, longest, host, at, staple=staple, scts=scts, pins=self._pins)
        answers = {
            one.name: self._findings(replace(context, policy=one), built) for one in families
        }
        refusing = tuple(name for name in chosen.families if _strongest(answers[name]) > 0)
        if not chosen.families:
            findings = tuple(dict.fromkeys(answers[policy]))[:_MOST_FINDINGS]
            return Verdict(chain_hash(certificates), policy, host, at, findings)
        # All findings, each once with its strongest refusal.
        best: dict[tuple[Category, int | None, str], Finding] = {}
        for one in (one for found in answers.values() for one in found):
            key = (one.category, one.position, one.detail)
            if key not in best or _STRENGTH[one.refusal] > _STRENGTH[best[key].refusal]:
                best[key] = one
        findings = tuple(sorted(best.values(), key=_rank)[:_MOST_FINDINGS])
        return Verdict(chain_hash(certificates), policy, host, at, findings, refusing)

    def verdicts(
        self, certificates: tuple[bytes, ...], *, host: str, at: int, policies: Iterable[str]
    ) -> dict[str, Verdict]:
        """The verdicts of these policies, by name; the policy `none` has none.

        If one of them rejects the chain, the verdicts of every client family are added, to say who
        would see the failure.

        Raises:
            UsageError: there is no such policy.
        """
        names = sorted(set(policies) - {NO_POLICY})
        answers = {name: self.judge(certificates, host=host, at=at, policy=name) for name in names}
        if any(answer.headline is not None for answer in answers.values()):
            for name in dict.fromkeys(POLICY_OF.values()):
                if name not in answers:
                    answers[name] = self.judge(certificates, host=host, at=at, policy=name)
        return answers

    def last_link(self, certificates: tuple[bytes, ...]) -> CertificateFacts | None:
        """The certificate whose issuer was not sent; None: there is a path, or no leaf."""
        built = self._paths(certificates)
        if built.paths.complete or not built.paths.longest.links:
            return None
        return built.paths.longest.top.facts

    def _findings(self, context: Context, built: _Built) -> list[Finding]:
        """All findings of one family, along the path that it would choose."""
        policy = context.policy
        found = list(encoding_findings(built.sent, policy))
        if not built.paths.longest.links:
            return found
        tried = self._tried(context, built)
        answers = [
            [*found, *self._along(context, built, path, anchored=ended)] for path, ended in tried
        ]
        # The path with the least against it: first how strongly, then how often.
        rejections = [
            (_strongest(answer), sum(one.refusal is not Refusal.NO for one in answer))
            for answer in answers
        ]
        best = rejections.index(min(rejections))
        contexts = [replace(context, path=path, anchored=anchored) for path, anchored in tried]
        if policy.last_error and rejections[best][0]:
            # The path that came furthest; of those, the last.
            ranks = [
                min(map(partial(_rank_in, one), found))
                for one, found in zip(contexts, answers, strict=True)
            ]
            best = max(range(len(ranks)), key=lambda place: (ranks[place][1], place))
        return sorted(answers[best], key=partial(_rank_in, contexts[best]))

    def _tried(self, context: Context, built: _Built) -> list[tuple[Path, bool]]:
        """The paths that a family tries, and whether they end in an anchor; at least one."""
        assert self._anchors is not None
        policy, paths = context.policy, built.paths
        if policy.search is PathSearch.FIRST:
            partial, schemes = policy.partial_chain, policy.schemes
            return [
                select(
                    built.sent, self._anchors, context.at, partial_chain=partial, schemes=schemes
                )
            ]
        if policy.search is PathSearch.ORDERED:
            ordered = in_order(built.sent, self._anchors)
            if ordered is not None:
                return [(path, True) for path in ordered] or [(paths.longest, False)]
        strict = policy.settings(EncodingSettings).strict
        tried = [
            (path, True)
            for path in paths.complete
            if policy.partial_chain or path.top.facts.self_issued or len(path.links) == 1
            if policy.search is PathSearch.EVERY or len(path.links) > 1
            # An anchor with an odd part is left out when the store is read.
            if not (strict and strict_problems(path.top.facts))
        ]
        if not tried or (policy.last_error and paths.last_end not in paths.complete):
            tried.append((paths.last_end if policy.last_error and tried else paths.longest, False))
        return tried

    def _along(
        self, context: Context, built: _Built, path: Path, *, anchored: bool
    ) -> Iterator[Finding]:
        """What is against one path."""
        along = replace(context, path=path, anchored=anchored)
        if anchored:
            along = replace(along, public=path.top.facts.sha256 in self._public)
        elif built.paths.complete and path is built.paths.longest:
            top = built.paths.complete[0].top
            detail = "the path ends in an anchor that is not a self-signed root"
            yield Gap(Category.UNTRUSTED_ROOT, top.position, detail).finding(context.policy)
        else:
            assert self._anchors is not None
            gap = None
            if context.policy.search is PathSearch.FIRST:
                gap = selection_gap(path, built.sent, found=bool(built.paths.complete))
            if gap is None:
                paths = replace(built.paths, complete=(), longest=path)
                private = self._given.private
                gap = find_gap(built.sent, paths, self._anchors, self._known, private=private)
            yield gap.finding(context.policy)
        for rule in _RULES:
            yield from rule(along)

    def _paths(self, certificates: tuple[bytes, ...]) -> _Built:
        """The paths of a chain; those of the latest chains are kept."""
        if certificates in self._built:
            return self._built[certificates]
        if self._anchors is None:
            self._anchors = Issuers(self._given.certificates)
            self._public = self._given.known_publicly()
        sent = tuple(describe(der) for der in certificates) or (describe(b""),)
        if sent[0].unreadable:
            built = _Built(sent, Paths((), Path(()), Path(()), ()))
        else:
            built = _Built(sent, build_paths(sent, self._anchors))
        if len(self._built) >= _KEPT:
            self._built.pop(next(iter(self._built)))
        self._built[certificates] = built
        return built


def _rank_in(context: Context, finding: Finding) -> tuple[int, ...]:
    """The place of a finding in the order in which the client would come upon it; notes last."""
    links = context.path.links
    strength = -_STRENGTH[finding.refusal]
    depths = {link.position: depth for depth, link in enumerate(links)}
    depth = depths.get(finding.position, len(links))
    check = str(finding.category)
    if finding.category is Category.WRONG_INTERMEDIATE and context.anchored:
        check = "signature"
    stages = context.policy.order
    unusable = finding.category is Category.MALFORMED_CERTIFICATE and not context.anchored
    if unusable and any("unusable" in stage.checks for stage in stages):
        check = "unusable"
    for number, stage in enumerate(stages):
        here = stage.of == "path" or (stage.of == "leaf") == (finding.position == 0)
        if here and check in stage.checks:
            place = depth + (stage.edges and check == "weak-signature")
            place -= check in stage.below
            place = 0 if check in stage.at_leaf else place
            place = -place if stage.from_root else place
            return strength, number, place, stage.checks.index(check)
    return strength, len(stages), finding.category.precedence, depth


def _strongest(found: Iterable[Finding]) -> int:
    return max((_STRENGTH[one.refusal] for one in found), default=0)


def _rank(finding: Finding) -> tuple[int, int, int]:
    """Certain rejections before possible ones, notes last; the first finding is the headline."""
    place = 99 if finding.position is None else finding.position
    return -_STRENGTH[finding.refusal], finding.category.precedence, place
