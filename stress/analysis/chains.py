"""The distinct chains of a run, commonest first, and what sets each apart."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from stress.model.run import Run, SeenChain
from stress.model.summary import ChainLine
from stress.model.verdict import Refusal, Verdict
from stress.text.escape import printable
from stress.trust import Judge, describe, differs, name_of
from stress.trust.aia import Fetch, Repair, repair
from stress.trust.structure import REPAIRABLE


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
    problems = _problems(verdicts)
    return tuple(
        ChainLine(
            sha256=chain.sha256.hex(),
            certificates=len(chain.certificates),
            subject=subject(chain),
            issuer=issuer(chain),
            seen=chain.seen,
            share=chain.seen / total if total else 0.0,
            problems=problems.get(chain.sha256, {}),
            differs=difference(ordered[0], chain),
        )
        for chain in ordered
    )


def subject(chain: SeenChain) -> str:
    """The leaf's short name; empty when no certificate was sent."""
    return name_of(chain.certificates[0]) if chain.certificates else ""


def issuer(chain: SeenChain) -> str:
    """The leaf's issuer; empty when no certificate was sent."""
    return printable(describe(chain.certificates[0]).issuer) if chain.certificates else ""


def difference(common: SeenChain, other: SeenChain) -> str:
    """What differs, in words; empty for the same chain."""
    if common.sha256 == other.sha256:
        return ""
    if not other.certificates:
        return "no certificate at all"
    if not common.certificates:
        return "certificates where the commonest answer has none"
    return differs(common.certificates, other.certificates)


def short(chain: SeenChain) -> str:
    """The first twelve digits of the hash: enough to find it in the table."""
    return chain.sha256.hex()[:12]


def _problems(verdicts: Sequence[Verdict]) -> dict[bytes, Mapping[str, tuple[str, ...]]]:
    """Chain hash -> policy -> the categories a client of it would refuse for, as headlined."""
    found: dict[bytes, dict[str, tuple[str, ...]]] = {}
    for verdict in verdicts:
        names = (
            finding.category.value
            for finding in verdict.findings
            if finding.refusal is not Refusal.NO
        )
        categories = tuple(dict.fromkeys(names))
        if categories:
            found.setdefault(verdict.chain, {})[verdict.policy] = categories
    return dict(found)


# Whether what a failing chain lacks can be had, and is all that it lacks (`--aia`), in sentences.
#
# What is fetched is only shown: the verdicts of the run stay about the chains as they were sent.

MOST_CHAINS = 5
"""Chains for which something is fetched; each may take some seconds."""
_LONGEST_URL = 200


def repair_chains(run: Run, judge: Judge, fetch: Fetch) -> tuple[str, ...]:
    """Fetches what the failing chains of a run lack, and tells what that proves.

    Args:
        run: the recorded run.
        judge: with its anchors and pins.
        fetch: gets the body at an http address; raises `OSError` when it cannot.
    """
    chains = {chain.sha256: chain for chain in run.chains()}
    lacking = {
        verdict.chain: verdict
        for verdict in run.verdicts()
        if verdict.chain in chains and _lacks(verdict)
    }
    return tuple(_told(chains, list(lacking.values())[:MOST_CHAINS], judge, fetch))


def _lacks(verdict: Verdict) -> bool:
    return verdict.headline is not None and verdict.headline.category in REPAIRABLE


def _told(
    chains: dict[bytes, SeenChain], lacking: list[Verdict], judge: Judge, fetch: Fetch
) -> Iterator[str]:
    for verdict in lacking:
        chain = chains[verdict.chain]
        found = repair(
            judge,
            chain.certificates,
            host=verdict.host,
            at=verdict.at,
            policy=verdict.policy,
            fetch=fetch,
        )
        yield _sentence(f"chain {short(chain)}", found)


def _sentence(chain: str, found: Repair) -> str:
    notes = "; ".join(found.notes)
    if not found.added:
        return f"Not proven: what {chain} lacks could not be fetched ({notes or 'nothing fits'})."
    fetched = ", ".join(
        f"{printable(describe(der).subject)} from {printable(url, _LONGEST_URL)}"
        for der, url in zip(found.added, found.addresses, strict=True)
    )
    if found.complete:
        return f"Proven: with {fetched} added, {chain} is accepted."
    headline = found.after.headline
    left = f"{headline.category.value}, {headline.detail}" if headline else ""
    return f"With {fetched} added, {chain} still fails: {left}."
