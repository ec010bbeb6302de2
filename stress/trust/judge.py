"""Judges a chain by one set of anchors: one policy, one host, one time, all findings.

Pure: no clock and no network. `families` decides by which anchors each client family judges.

The paths of a chain are built once and kept for the latest chains. Each policy then applies its
rules to every complete path and takes the one with the least against it, like clients that try
another path when one fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pkgutil import iter_modules

from stress.model.chain import Finding, Refusal
from stress.model.outcome import Category
from stress.trust.anchors import Anchors
from stress.trust.path import Gap, Issuers, Known, Path, Paths, build_paths, find_gap, malformed
from stress.trust.policy import Policy
from stress.trust.reading.certificate import CertificateFacts, describe
from stress.trust.rules.context import Context, Rule

_RULES: tuple[Rule, ...] = tuple(
    rule
    for module in iter_modules(import_module("stress.trust.rules").__path__)
    for rule in getattr(import_module(f"stress.trust.rules.{module.name}"), "RULES", ())
)
"""Every rule of the modules in `rules/`. Their order does not matter."""

STRENGTH = {Refusal.NO: 0, Refusal.SOMETIMES: 1, Refusal.YES: 2}
_KEPT = 64
"""Chains whose paths are kept."""


@dataclass(frozen=True, slots=True)
class _Built:
    """What is the same for every policy."""

    sent: tuple[CertificateFacts, ...]
    paths: Paths
    gap: Gap | None
    """Why there is no complete path; None: there is one."""


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
        gap = self._paths(certificates).gap
        assert gap is not None
        return gap.finding(policy)

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
        found = list(malformed(built.sent, policy))
        if not built.paths.longest.links:
            return found
        answers = []
        for path in built.paths.complete:
            top = path.top.facts
            if policy.partial_chain or top.self_issued or len(path.links) == 1:
                public = top.sha256 in self._public
                along = replace(context, path=path, anchored=True, public=public)
                answers.append([one for rule in _RULES for one in rule(along)])
        if answers:
            # The path with the least against it: first how strongly, then how often.
            rejections = [
                (strongest(answer), sum(one.refusal is not Refusal.NO for one in answer))
                for answer in answers
            ]
            return found + answers[rejections.index(min(rejections))]
        gap = built.gap or Gap(
            Category.UNTRUSTED_ROOT,
            built.paths.complete[0].top.position,
            "the path ends in an anchor that is not a self-signed root",
        )
        return [*found, gap.finding(policy), *(one for rule in _RULES for one in rule(context))]

    def _paths(self, certificates: tuple[bytes, ...]) -> _Built:
        """The paths of a chain; those of the latest chains are kept."""
        if certificates in self._built:
            return self._built[certificates]
        sent = tuple(describe(der) for der in certificates) or (describe(b""),)
        if sent[0].unreadable:
            built = _Built(sent, Paths((), Path(()), ()), None)
        else:
            paths = build_paths(sent, self._anchors)
            gap = None
            if not paths.complete:
                private = self._given.private
                gap = find_gap(sent, paths, self._anchors, self._known, private=private)
            built = _Built(sent, paths, gap)
        if len(self._built) >= _KEPT:
            self._built.pop(next(iter(self._built)))
        self._built[certificates] = built
        return built


def strongest(found: Iterable[Finding]) -> int:
    """The strongest refusal among findings, as in `STRENGTH`."""
    return max((STRENGTH[one.refusal] for one in found), default=0)
