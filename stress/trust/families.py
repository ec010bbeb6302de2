"""Judges a chain as each client family would: by its own root store, version by version.

Pure: no clock and no network. The same judge gives the same verdict twice, unless it has seen other
chains in between (`meet`), which only sharpens the reason why a chain is incomplete.

A family's store changes from version to version (`stores`), so the same chain can be refused by one
version and accepted by the next. What decides is which anchors a version has among those that the
chain can lead to, and there are few such sets: the chain is judged once for each (`judge`). Where
versions in use disagree, the family refuses it `sometimes`, and the finding says which ones do.

Two kinds of anchors are in no such store: those of `--ca`, which replace everything, and those that
the owner of this machine added to its store. The latter count for every family: whoever tests such
a server means clients that have them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path

from stress.codes.catalog import POLICY_OF
from stress.model.chain import Finding, Refusal, Verdict, chain_hash
from stress.model.outcome import Category
from stress.model.plan import NO_POLICY, Trust
from stress.text.escape import printable
from stress.text.units import instant
from stress.trust.anchors import Anchors
from stress.trust.judge import STRENGTH, StoreJudge, strongest
from stress.trust.path import Issuers, Known, name_and_key
from stress.trust.policy import Policy, StoreUse, find_policy
from stress.trust.reading.certificate import (
    CertificateFacts,
    describe,
    listed_names,
    short_name,
    shown_issuer,
    subject_of,
    without_end,
)
from stress.trust.reading.der import DerError
from stress.trust.reading.extension import NormalName, organizations, sct_times
from stress.trust.rules.identity import literal
from stress.trust.stores import Distrust, StoredCertificate, Stores, open_stores

_KEPT = 64
"""Chains, and sets of anchors, that are kept."""
_MOST_FINDINGS = 50
"""Findings of one verdict."""
_MOST_KNOWN = 1_000
"""Certificates of other chains that are remembered."""
_LABELS = {
    "apple": "iOS",
    "android": "Android",
    "chrome": "Chrome",
    "mozilla": "Firefox with NSS",
    "java": "Java",
    "debian": "ca-certificates",
    "certifi": "certifi",
}
_THIS_MACHINE = "this machine's store"
_EVERY_RELEASE = frozenset({"apple", "android"})
"""Families of which every release was looked at: what lacks a root is `≤` the last without it."""


@dataclass(frozen=True, slots=True)
class _Situation:
    """What the judgement of one chain needs from the stores."""

    sent: tuple[CertificateFacts, ...]
    roots: tuple[StoredCertificate, ...]
    """That the chain can lead to; intermediates that are anchors somewhere, too."""
    machine: frozenset[bytes]
    """Anchors of this machine that the chain can lead to."""
    own: frozenset[bytes]
    """Those of them that are in no store."""
    public: frozenset[bytes]
    """SHA-256 of the anchors under which the rules for public roots apply."""

    @property
    def every(self) -> frozenset[bytes]:
        """All roots, whoever has them."""
        return self.own | {one.facts.der for one in self.roots if one.root}


@dataclass(frozen=True, slots=True)
class _View:
    """The anchors of one version of a store."""

    anchors: frozenset[bytes]
    in_use: bool
    store: StoreUse | None = None
    """None: this machine's."""
    place: int = 0


class Judge:
    """Judges chains by the stores of the client families, or by the user's own anchors alone.

    Args:
        anchors: this machine's, or the user's (`--ca`).
        pins: SHA-256 of acceptable public keys; empty: no pinning.
        stores: the families' root stores; None: those of this package.
        machine: this machine's store is one of those that programs on its system have.
    """

    def __init__(
        self,
        anchors: Anchors,
        *,
        pins: Sequence[bytes] = (),
        stores: Stores | None = None,
        machine: bool = True,
    ) -> None:
        self._given = anchors
        self._pins = tuple(pins)
        self._stores = stores or open_stores()
        self._counts_machine = machine
        self._machine: dict[NormalName, list[bytes]] | None = None
        """This machine's anchors by their subjects: of most of them nothing else is read."""
        self._organizations: frozenset[str] = frozenset()
        self._met: dict[bytes, None] = {}
        self._known = Issuers()
        self._judges: dict[frozenset[bytes], StoreJudge] = {}
        self._situations: dict[tuple[bytes, ...], _Situation] = {}

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
                self._judges.clear()
                self._situations.clear()

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
        case = cache(lambda sent: _Case(self, sent, host, at, staple, scts))
        trimmed = tuple(map(without_end, certificates))
        answers = {
            one.name: case(trimmed if one.end_ignored else certificates).findings(one)
            for one in families
        }
        refusing = tuple(name for name in chosen.families if strongest(answers[name]) > 0)
        if not chosen.families:
            # A family with an order of its own has come upon its findings in it.
            rank = (lambda one: (-STRENGTH[one.refusal],)) if chosen.order else _rank
            findings = tuple(dict.fromkeys(sorted(answers[policy], key=rank)))[:_MOST_FINDINGS]
            return Verdict(chain_hash(certificates), policy, host, at, findings)
        # All findings, each once with its strongest refusal.
        best: dict[tuple[Category, int | None, str], Finding] = {}
        for one in (one for found in answers.values() for one in found):
            key = (one.category, one.position, one.detail)
            if key not in best or STRENGTH[one.refusal] > STRENGTH[best[key].refusal]:
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
        return self.by(self.situation(certificates).every, certificates).last_link(certificates)

    def missing(self, certificates: tuple[bytes, ...], at: int) -> tuple[CertificateFacts, ...]:
        """What would complete a chain: known certificates, in the order to send after it.

        Of several completions the one that most versions of the stores accept, then the shortest.

        Args:
            certificates: DER, as sent.
            at: Unix seconds; certificates that are valid then are preferred.
        """
        held = {one.facts.der: _held(one) for one in self.situation(certificates).roots}
        anchors = self.situation(certificates).every
        judge = self.by(anchors, certificates)
        ways = [
            (
                tuple(
                    link.facts
                    for link in path.links
                    if link.position is None and link.facts.der not in anchors
                ),
                held.get(path.top.facts.der, 0),
            )
            for path in judge.completions(certificates)
        ]

        def worth(way: tuple[tuple[CertificateFacts, ...], int]) -> tuple[bool, int, int]:
            added, accepted = way
            valid = all(one.not_before <= at <= one.not_after for one in added)
            return valid, accepted, -len(added)

        return max(ways, key=worth, default=((), 0))[0]

    def by(self, anchors: frozenset[bytes], certificates: tuple[bytes, ...]) -> StoreJudge:
        """The judge for a set of anchors that a chain can lead to."""
        found = self._judges.get(anchors)
        if found is None:
            if len(self._judges) >= _KEPT:
                self._judges.pop(next(iter(self._judges)))
            # In the order given: of anchors alike, OpenSSL takes the first.
            place = {der: number for number, der in enumerate(self._given.certificates)}
            ordered = sorted(anchors, key=lambda der: (place.get(der, len(place)), der))
            given = Anchors(tuple(ordered), self._given.source, self._given.private)
            found = self._judges[anchors] = StoreJudge(
                given,
                public=self.situation(certificates).public,
                known=Known(self._known, self._met, self._organizations),
                pins=self._pins,
            )
        return found

    def situation(self, certificates: tuple[bytes, ...]) -> _Situation:
        """What the stores say about a chain; kept for the latest chains."""
        found = self._situations.get(certificates)
        if found is None:
            if len(self._situations) >= _KEPT:
                self._situations.pop(next(iter(self._situations)))
            found = self._situations[certificates] = self._look_up(certificates)
        return found

    def _look_up(self, certificates: tuple[bytes, ...]) -> _Situation:
        if self._machine is None:
            self._machine = {}
            for der in self._given.certificates:
                self._machine.setdefault(subject_of(der) or (), []).append(der)
            familiar = set() if self._given.private else self._stores.organizations
            self._organizations = frozenset(familiar).union(*map(organizations, self._machine))
        sent = tuple(describe(der) for der in certificates) or (describe(b""),)
        names = [
            name.normal
            for facts in (*sent, *map(describe, self._met))
            if not facts.unreadable
            for name in (facts.subject_name, facts.issuer_name)
        ]
        stored = [] if self._given.private else [*self._stores.reachable(names)]
        for one in stored:
            if not one.root and not one.revoked:
                self._known.add(one.facts)
                names.append(one.facts.issuer_name.normal)
        roots = tuple(one for one in stored if one.root or one.spans)
        trusted = {name_and_key(one.facts) for one in roots if one.root}
        machine, looked_up = list[CertificateFacts](), set[NormalName]()
        while wanted := [name for name in dict.fromkeys(names) if name not in looked_up]:
            looked_up.update(wanted)
            found = [describe(der) for name in wanted for der in self._machine.get(name, ())]
            machine += found
            names += [one.issuer_name.normal for one in found]  # an anchor that is no root
        own = [one for one in machine if name_and_key(one) not in trusted]
        public = {one.facts.sha256 for one in roots}
        public |= {one.sha256 for one in machine if name_and_key(one) in trusted}
        public |= self._given.known_publicly() if own else set()
        return _Situation(
            sent,
            roots,
            frozenset(one.der for one in machine),
            frozenset(one.der for one in own),
            frozenset(public),
        )

    @property
    def stores(self) -> Stores:
        """By which the families judge."""
        return self._stores

    def uses(self, policy: Policy) -> tuple[tuple[StoreUse, ...], bool]:
        """The stores of a policy that count, and whether this machine's does."""
        if self._given.private or not policy.stores:
            return (), True
        return policy.stores, policy.system and self._counts_machine


def known_missing(certificates: tuple[bytes, ...], at: int) -> tuple[CertificateFacts, ...]:
    """What would complete a chain of a public CA, from the known certificates alone.

    Args:
        certificates: DER, as sent.
        at: Unix seconds; certificates that are valid then are preferred.
    """
    return Judge(Anchors((), "", private=False)).missing(certificates, at)


def judge_of(trust: Trust) -> Judge:
    """The judge that a plan wants.

    Raises:
        UsageError: its file of root stores cannot be used.
    """
    stores = open_stores(Path(trust.stores)) if trust.stores else None
    anchors = Anchors(trust.anchors, trust.anchors_from, trust.private)
    return Judge(anchors, pins=trust.pins, stores=stores, machine=not trust.stores)


class _Case:
    """One chain, asked about for one host at one time."""

    def __init__(
        self,
        judge: Judge,
        certificates: tuple[bytes, ...],
        host: str,
        at: int,
        staple: bytes | None,
        scts: bytes | None,
    ) -> None:
        self._judge, self._certificates = judge, certificates
        self._host, self._at, self._staple, self._scts = host, at, staple, scts
        self._situation = judge.situation(certificates)
        self._revoked = [*self._revoked_certificates()]

    def findings(self, policy: Policy) -> list[Finding]:
        """What one family has against the chain."""
        views = [*self._views(policy)]
        judges = {view.anchors: self._by(view.anchors) for view in views}
        reached = {anchors: one.reaches(self._certificates) for anchors, one in judges.items()}
        good = [view for view in views if view.in_use and reached[view.anchors]]
        runs = [*_runs([view for view in views if not reached[view.anchors]])]
        every = self._by(self._situation.every)
        found = (self._by(good[-1].anchors) if good else every).findings(
            self._certificates,
            policy,
            host=self._host,
            at=self._at,
            staple=self._staple,
            scts=self._scts,
        )
        if every.reaches(self._certificates):
            ends = {
                end for one in (every, *judges.values()) for end in one.ends(self._certificates)
            }
            found[:0] = [self._refusal(run, ends, partly=bool(good)) for run in runs]
        elif good:  # some versions have the missing certificate as an anchor
            gap = every.gap(self._certificates, policy)
            for run in runs:
                versions = self._versions(run)
                detail = f"{gap.detail}: {versions}"
                found.append(
                    replace(gap, detail=detail, refusal=Refusal.SOMETIMES, versions=versions)
                )
        return [*found, *self._revoked]

    def _by(self, anchors: frozenset[bytes]) -> StoreJudge:
        return self._judge.by(anchors, self._certificates)

    def _views(self, policy: Policy) -> Iterator[_View]:
        """The versions of the family's stores, oldest first; this machine's last."""
        situation, leaf = self._situation, self._situation.sent[0]
        timestamps = (*leaf.sct_times, *_times(self._scts))
        uses, machine = self._judge.uses(policy)
        for use in uses:
            oldest = self._place(use.family, use.oldest)
            for place in self._places(use):
                held = (
                    one.facts.der
                    for one in situation.roots
                    if (span := one.at(use.family, place)) is not None
                    and not span.refuses(leaf.not_before, timestamps)
                )
                yield _View(situation.own.union(held), place >= oldest, use, place)
        if machine:
            yield _View(situation.machine, in_use=True)

    def _places(self, use: StoreUse) -> range:
        count = len(self._judge.stores.versions.get(use.family, ()))
        return range(self._place(use.family, use.newest) + 1 if use.newest else count)

    def _place(self, family: str, version: str) -> int:
        """The place of a version; 0 where these stores do not have it."""
        names = self._judge.stores.versions.get(family, ())
        return next((i for i, name in enumerate(names) if name.split(" ")[0] == version), 0)

    def _refusal(
        self, run: Sequence[_View], ends: Collection[CertificateFacts], *, partly: bool
    ) -> Finding:
        """Why some versions in a row refuse a chain that leads to a root.

        Args:
            run: the versions.
            ends: the roots to which it leads.
            partly: other versions in use accept it.
        """
        use = run[0].store
        if not any(view.in_use for view in run):
            refusal = Refusal.NO
        else:
            refusal = Refusal.SOMETIMES if partly else Refusal.YES
        versions = self._versions(run)
        # The root that most versions have: the others are further from being trusted.
        roots = [one for one in self._situation.roots if one.facts in ends]
        root = max(roots, key=lambda one: _held(one, use.family if use else None))
        if use is None:
            detail = f"{short_name(root.facts)} is not in {versions}"
            return Finding(Category.UNTRUSTED_ROOT, None, detail, refusal, versions)
        family = use.family
        name, span = short_name(root.facts), root.at(family, run[0].place)
        if span is not None:
            what = "were issued" if span.rule is Distrust.ISSUED else "got all their SCTs"
            day = instant(span.after)[:10]
            detail = f"{name} is distrusted for certificates that {what} after {day}"
        elif any(one.until <= run[0].place for one in root.spans.get(family, ())):
            detail = f"{name} was removed from the root store"
        else:
            detail = f"{name} is not in the root store"
        return Finding(Category.UNTRUSTED_ROOT, None, f"{detail}: {versions}", refusal, versions)

    def _versions(self, run: Sequence[_View]) -> str:
        """Versions in a row, such as `Android ≤ 13`."""
        use, first, last = run[0].store, run[0].place, run[-1].place
        if use is None:
            return _THIS_MACHINE
        label, names = _LABELS.get(use.family, use.family), self._judge.stores.versions[use.family]
        end = self._places(use)[-1]
        if first == 0 and last == end:
            return f"{label}, every version"
        if first == 0:
            if use.family in _EVERY_RELEASE:
                return f"{label} ≤ {names[last]}"
            return f"{label} < {names[last + 1]}"
        if last == end:
            return f"{label} ≥ {names[first]}"
        return f"{label} {names[first]} to {names[last]}"

    def _revoked_certificates(self) -> Iterator[Finding]:
        """Sent certificates that their issuer revoked; clients do not look, but another is due."""
        stores = self._judge.stores
        for position, facts in enumerate(self._situation.sent):
            if facts.unreadable or not stores.revoked(facts.sha256):
                continue
            newer = [
                one.facts.sha256.hex()[:16]
                for one in stores.named(facts.subject_name.normal)
                if not one.revoked
                and not one.root
                and one.facts.spki == facts.spki
                and one.facts.issuer_name.normal == facts.issuer_name.normal
                and one.facts.not_after > self._at
            ]
            instead = f"; send the current one instead (SHA-256 {newer[0]}…)" if newer else ""
            detail = f"{short_name(facts)} by {shown_issuer(facts)} was revoked by its issuer"
            yield Finding(Category.REVOKED, position, f"{detail}{instead}", Refusal.NO)


def _runs(views: Sequence[_View]) -> Iterator[list[_View]]:
    """Versions of one store that follow each other."""
    run: list[_View] = []
    for view in views:
        if run and (view.store is not run[-1].store or view.place != run[-1].place + 1):
            yield run
            run = []
        run.append(view)
    if run:
        yield run


def _held(root: StoredCertificate, family: str | None = None) -> int:
    """How many versions have it, of one family's store or of all."""
    spans = root.spans.items()
    return sum(s.until - s.since for name, held in spans if family in {None, name} for s in held)


@lru_cache(maxsize=64)
def _times(scts: bytes | None) -> tuple[int, ...]:
    try:
        return sct_times(scts) if scts else ()
    except DerError:
        return ()


def _rank(finding: Finding) -> tuple[int, ...]:
    """Certain rejections before possible ones, notes last; the first finding is the headline."""
    place = 99 if finding.position is None else finding.position
    return -STRENGTH[finding.refusal], finding.category.precedence, place


_MOST_NAMES = 5
_BROKEN_USAGE = re.compile(
    "odd part: keyUsage|keyUsage cannot be decoded|cannot be used, so that OpenSSL"
)


def known_of(certificates: tuple[bytes, ...], verdict: Verdict) -> Mapping[str, str]:
    """Names and values for the rows of `measured.toml`: their `when`, and their placeholders.

    Args:
        certificates: DER, as sent.
        verdict: of the client in question, for that very chain.
    """
    head, host = verdict.headline, verdict.host
    if head is None or not certificates or describe(certificates[0]).unreadable:
        return {}
    leaf = describe(certificates[0])
    common = leaf.common_name or ""
    at_fault = describe(certificates[head.position]) if head.position is not None else None
    addresses = leaf.alternative_names.addresses if leaf.alternative_names else ()
    is_address, category = literal(host) is not None, head.category
    holds = {
        "address": is_address,
        "addresses": bool(addresses),
        "nameless": not leaf.sans and common.lower() != host.lower(),
        "alone": len(certificates) == 1,
        "root-sent": category is Category.UNTRUSTED_ROOT
        and at_fault is not None
        and at_fault.self_issued,
        "usage": category is Category.WRONG_EKU and head.detail.startswith("its key is for"),
        "issuer-usage": category is Category.ISSUER_NOT_CA and "keyUsage" in head.detail,
        "no-key-id": "no authorityKeyIdentifier" in head.detail,
        "signing-leaf": head.detail.startswith("keyUsage keyCertSign, but no CA"),
        "broken-usage": bool(_BROKEN_USAGE.search(head.detail)),
    }
    values = {
        "host": printable(host, 80),
        "names": listed_names(leaf.sans, _MOST_NAMES),
        "labelled": listed_names([f"DNS:{name}" for name in leaf.sans], _MOST_NAMES),
        "common": printable(common, 80),
    }
    return values | {name: "yes" for name, found in holds.items() if found}
