"""Judges a chain by one set of anchors: one policy, one host, one time, all findings.

Pure: no clock and no network. `families` decides by which anchors each client family judges.

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

from stress.model.chain import Finding, Refusal
from stress.model.outcome import Category
from stress.trust.anchors import Anchors
from stress.trust.encoding import (
    EncodingSettings,
    certificate_findings,
    encoding_findings,
    takes,
)
from stress.trust.path import OPEN, Gap, Issuers, Known, Link, Path, Paths, build_paths, find_gap
from stress.trust.policy import PathSearch, Policy
from stress.trust.reading.certificate import CertificateFacts, describe
from stress.trust.reading.java import as_java_reads
from stress.trust.rules.context import Context, Rule
from stress.trust.selection import in_order, last_tried, lined_up, select, selection_gap, unlinked

_RULES: tuple[Rule, ...] = tuple(
    rule
    for module in iter_modules(import_module("stress.trust.rules").__path__)
    for rule in getattr(import_module(f"stress.trust.rules.{module.name}"), "RULES", ())
)
"""Every rule of the modules in `rules/`. Their order does not matter."""

_PARTS = frozenset({"unreadable", "signing", "lone-leaf"})
"""Checks that are part of others: a certificate that cannot be read, an issuer whose key may not
sign certificates, a leaf whose issuer is not there."""
STRENGTH = {Refusal.NO: 0, Refusal.SOMETIMES: 1, Refusal.YES: 2}
_KEPT = 64
"""Chains whose paths are kept."""


@dataclass(frozen=True, slots=True)
class _Built:
    """What is the same for every policy."""

    sent: tuple[CertificateFacts, ...]
    paths: Paths


class StoreJudge:
    """Judges chains against one set of anchors.

    Args:
        anchors: where paths may end.
        public: SHA-256 of those under which the rules for publicly trusted roots apply.
        known: what a chain may lack.
        pins: SHA-256 of acceptable public keys; empty: no pinning.
    """

    def __init__(
        self,
        anchors: Anchors,
        *,
        public: frozenset[bytes],
        known: Known,
        pins: Sequence[bytes] = (),
    ) -> None:
        self._given = anchors
        self._pins = tuple(pins)
        self._anchors = Issuers(anchors.certificates)
        self._public = public
        self._known = known
        self._built: dict[tuple[bytes, ...], _Built] = {}

    def findings(
        self,
        certificates: tuple[bytes, ...],
        policy: Policy,
        *,
        host: str,
        at: int,
        staple: bytes | None = None,
        scts: bytes | None = None,
    ) -> list[Finding]:
        """What one family has against a chain; as for `Judge.judge`."""
        built = self._paths(certificates)
        longest = built.paths.longest
        context = Context(policy, longest, host, at, staple=staple, scts=scts, pins=self._pins)
        return self._findings(context, built)

    def reaches(self, certificates: tuple[bytes, ...]) -> bool:
        """Whether a path of these certificates ends in an anchor."""
        return bool(self._paths(certificates).paths.complete)

    def ends(self, certificates: tuple[bytes, ...]) -> tuple[CertificateFacts, ...]:
        """The anchors in which their paths end, each once."""
        return tuple(
            dict.fromkeys(one.top.facts for one in self._paths(certificates).paths.complete)
        )

    def gap(self, certificates: tuple[bytes, ...], policy: Policy) -> Finding:
        """Why no path ends in an anchor; only where none does."""
        built = self._paths(certificates)
        return self._gap(built, built.paths.longest).finding(policy)

    def completions(self, certificates: tuple[bytes, ...]) -> tuple[Path, ...]:
        """Paths to an anchor with the help of known certificates, where there is none without."""
        built = self._paths(certificates)
        if built.paths.complete or built.sent[0].unreadable:
            return ()
        return build_paths(built.sent, self._anchors, self._known.issuers).complete

    def last_link(self, certificates: tuple[bytes, ...]) -> CertificateFacts | None:
        """The certificate whose issuer was not sent; None: there is a path, or no leaf."""
        built = self._paths(certificates)
        if built.paths.complete or not built.paths.longest.links:
            return None
        return built.paths.longest.top.facts

    def _findings(self, context: Context, built: _Built) -> list[Finding]:
        """All findings of one family, along the path that it would choose."""
        policy = context.policy
        if policy.settings(EncodingSettings).reader == "java":
            built = _as_java_reads(built)
        found = list(encoding_findings(built.sent, policy))
        if not built.paths.longest.links:
            return found
        context = replace(context, path=built.paths.longest)
        tried = self._tried(context, built)
        used_only = policy.settings(EncodingSettings).used_only
        answers = [
            [
                *(one for one in found if not used_only or one.position in path.places),
                *self._along(context, built, path, anchored=ended),
            ]
            for path, ended in tried
        ]
        # The path with the least against it: first how strongly, then how often.
        rejections = [
            (strongest(answer), sum(one.refusal is not Refusal.NO for one in answer))
            for answer in answers
        ]
        best = rejections.index(min(rejections))
        contexts = [replace(context, path=path, anchored=anchored) for path, anchored in tried]
        if policy.last_error and rejections[best][0]:
            # The path that came furthest; of those, the last.
            ranks = [
                min(map(partial(_rank_in, one, _failed(found, policy)), enumerate(found)))
                for one, found in zip(contexts, answers, strict=True)
            ]
            best = max(range(len(ranks)), key=lambda place: (ranks[place][1], place))
        failed = _failed(answers[best], policy)
        ordered = sorted(enumerate(answers[best]), key=partial(_rank_in, contexts[best], failed))
        mixed = None
        if policy.agreeing_issuers and rejections[best][0]:
            mixed = _disagreement(contexts, answers)
        return [*([mixed] if mixed else ()), *(one for _, one in ordered)]

    def _tried(self, context: Context, built: _Built) -> list[tuple[Path, bool]]:
        """The paths that a family tries, and whether they end in an anchor; at least one."""
        policy, paths = context.policy, built.paths
        anchors = self._anchors
        if not all(takes(policy, one) for one in anchors):
            anchors = Issuers(one.der for one in anchors if takes(policy, one))
        if policy.search is PathSearch.FIRST:
            partial, schemes = policy.partial_chain, policy.schemes
            return [select(built.sent, anchors, context.at, partial_chain=partial, schemes=schemes)]
        if policy.search is PathSearch.NAMED:
            named = build_paths(built.sent, anchors, signed=False)
            found = [(path, True) for path in named.complete]
            ends = [(path, False) for path in named.dead_ends] if policy.agreeing_issuers else []
            return [*found, *ends] or [(paths.longest, False)]
        if policy.search is PathSearch.LINED_UP:
            return lined_up(built.sent, anchors, context.at)
        if policy.search is PathSearch.ORDERED:
            ordered = in_order(built.sent, anchors)
            if ordered is not None:
                return [(path, True) for path in ordered] or [(paths.longest, False)]
        tried = [
            (path, True)
            for path in paths.complete
            if policy.partial_chain or path.top.facts.self_issued or len(path.links) == 1
            if policy.search is PathSearch.EVERY or len(path.links) > 1
            if path.top.facts.der in {one.der for one in anchors}
        ]
        if policy.last_error:
            tried.append(last_tried(built.sent, anchors))
        elif not tried:
            tried.append((paths.longest, False))
        return tried

    def _along(
        self, context: Context, built: _Built, path: Path, *, anchored: bool
    ) -> Iterator[Finding]:
        """What is against one path."""
        along = replace(context, path=path, anchored=anchored)
        if context.policy.search is PathSearch.LINED_UP:
            yield from unlinked(path)
        if anchored:
            top, policy = path.top, context.policy
            along = replace(along, public=top.facts.sha256 in self._public)
            if top.position is None and policy.settings(EncodingSettings).read_anchors:
                yield from certificate_findings(top.facts, None, policy)
        elif built.paths.complete and path is built.paths.longest:
            top = built.paths.complete[0].top
            detail = "the path ends in an anchor that is not a self-signed root"
            yield Gap(Category.UNTRUSTED_ROOT, top.position, detail).finding(context.policy)
        else:
            gap = None
            if context.policy.search is PathSearch.FIRST:
                gap = selection_gap(path, built.sent, found=bool(built.paths.complete))
            if gap is None:
                gap = self._gap(built, path)
            found = gap.finding(context.policy)
            lone = len(path.links) == 1 and not path.top.facts.self_issued
            yield replace(found, check="lone-leaf") if lone else found
        for rule in _RULES:
            yield from rule(along)

    def _gap(self, built: _Built, path: Path) -> Gap:
        """Why a path ends nowhere."""
        paths = replace(built.paths, complete=(), longest=path)
        private = self._given.private
        return find_gap(built.sent, paths, self._anchors, self._known, private=private)

    def _paths(self, certificates: tuple[bytes, ...]) -> _Built:
        """The paths of a chain; those of the latest chains are kept."""
        if certificates in self._built:
            return self._built[certificates]
        sent = tuple(describe(der) for der in certificates) or (describe(b""),)
        if sent[0].unreadable:
            built = _Built(sent, Paths((), Path(()), ()))
        else:
            built = _Built(sent, build_paths(sent, self._anchors))
        if len(self._built) >= _KEPT:
            self._built.pop(next(iter(self._built)))
        self._built[certificates] = built
        return built


def _as_java_reads(built: _Built) -> _Built:
    """The same paths, with what Java reads in their certificates."""

    def link(one: Link) -> Link:
        return replace(one, facts=as_java_reads(one.facts))

    def path(one: Path) -> Path:
        return Path(tuple(map(link, one.links)))

    paths = Paths(
        tuple(map(path, built.paths.complete)),
        path(built.paths.longest),
        tuple((link(child), link(issuer)) for child, issuer in built.paths.broken),
    )
    return _Built(tuple(map(as_java_reads, built.sent)), paths)


def _disagreement(
    contexts: Iterable[Context], answers: Iterable[Sequence[Finding]]
) -> Finding | None:
    """That the paths fail for different reasons, if they do; the kinds of gaps are one."""
    gaps, reasons = OPEN | {Category.SELF_SIGNED}, set[str]()
    for context, found in zip(contexts, answers, strict=True):
        failed = _failed(found, context.policy)
        first = min(enumerate(found), key=partial(_rank_in, context, failed))[1]
        reasons.add("unknown issuer" if first.category in gaps else first.category.value)
    if len(reasons) < 2:
        return None
    detail = f"its possible issuers fail for different reasons: {', '.join(sorted(reasons))}"
    return Finding(Category.UNTRUSTED_ROOT, None, detail)


def _check_of(finding: Finding, policy: Policy) -> str:
    """Its check; a part of another only where the policy's order tells that apart."""
    apart = any(finding.check in stage.checks for stage in policy.order)
    return (finding.check if apart or finding.check not in _PARTS else "") or str(finding.category)


def _failed(findings: Iterable[Finding], policy: Policy) -> frozenset[str]:
    """The checks that surely failed."""
    return frozenset(_check_of(one, policy) for one in findings if one.refusal is Refusal.YES)


def _rank_in(
    context: Context, failed: frozenset[str], numbered: tuple[int, Finding]
) -> tuple[int, ...]:
    """The place of a finding in the order in which the client would come upon it; notes last.

    Of findings of one place the first counts, or the last where a client begins at the root: two
    anchors in one path have no position by which to tell them apart.
    """
    index, finding = numbered
    links = context.path.links
    strength = -STRENGTH[finding.refusal]
    depths = {link.position: depth for depth, link in enumerate(links)}
    depth = depths.get(finding.position, len(links))
    check = _check_of(finding, context.policy)
    stages = context.policy.order
    unusable = check == str(Category.MALFORMED_CERTIFICATE) and not context.anchored
    if unusable and any("unusable" in stage.checks for stage in stages):
        check = "unusable"
    for number, stage in enumerate(stages):
        here = stage.of == "path" or (stage.of == "leaf") == (finding.position == 0)
        if here and check in stage.checks and failed.isdisjoint(stage.unless):
            place = depth + (stage.edges and check == "weak-signature")
            place -= check in stage.below
            place = 0 if check in stage.at_leaf else place
            place = -place if stage.from_root else place
            two_anchors = [link.position for link in links].count(None) > 1
            turned = -index if two_anchors and stage.from_root and finding.position is None else 0
            return strength, number, place, turned, stage.checks.index(check), index
    return strength, len(stages), finding.category.precedence, depth, index


def strongest(found: Iterable[Finding]) -> int:
    """The strongest refusal among findings, as in `STRENGTH`."""
    return max((STRENGTH[one.refusal] for one in found), default=0)
