"""Whether what a failing chain lacks can be had, and is all that it lacks (`--aia`), in sentences.

What is fetched is only shown: the verdicts of the run stay about the chains as they were sent.
"""

from __future__ import annotations

from collections.abc import Iterator

from stress.analysis.chains import short
from stress.model.run import Run, SeenChain
from stress.model.verdict import Verdict
from stress.text.escape import printable
from stress.trust import Judge, describe
from stress.trust.aia import Fetch, Repair, repair
from stress.trust.structure import REPAIRABLE

MOST_CHAINS = 5
"""Chains for which something is fetched; each may take some seconds."""
_LONGEST_URL = 200


def mend(run: Run, judge: Judge, fetch: Fetch) -> tuple[str, ...]:
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
