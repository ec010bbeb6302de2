"""Summarizes a recorded run: as it was recorded, or re-evaluated.

Verdicts are computed from stored certificates, so another policy, time or assertion is only another
way to read the same file. The file is never changed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING

from stress.errors import UsageError
from stress.host.addresses import is_public
from stress.model.run import RunFacts
from stress.model.summary import Summary
from stress.text.escape import printable

if TYPE_CHECKING:
    from stress.model.run import Run
    from stress.trust import Judge
    from stress.trust.aia import Fetch

MOST_REPAIRS = 5
"""Chains for which something is fetched; each may take some seconds."""


@dataclass(frozen=True, slots=True)
class Rejudgement:
    """What replaces the settings with which a run was recorded."""

    assertions: tuple[str, ...] = ()
    """Instead of the run's own goals and assertions; empty: those."""
    policy: str | None = None
    at: int | None = None
    """Unix seconds at which chains are validated."""
    aia: bool = False
    """Fetch missing issuers of failing chains."""
    stores: str | None = None
    """File of the client families' root stores, where the run had its own."""

    def summarize(self, run: Run) -> Summary:
        """The summary of the run under these settings.

        Raises:
            UsageError: an assertion or a policy is wrong, or there is no trust store.
        """
        from stress.analysis.goals.goal import parse_goals  # noqa: PLC0415 - heavy
        from stress.report.summary import summarize  # noqa: PLC0415 - heavy

        plan = run.facts().plan
        if self.policy is not None or self.at is not None or self.aia:
            refuse_records(run.facts(), "there is no chain to judge")
        goals = parse_goals(self.assertions) or parse_goals([*plan.goals, *plan.assertions])
        judged = self.judged(run)
        return summarize(judged, goals=goals, repairs=self.repairs(judged))

    def judged(self, run: Run) -> Run:
        """The run as it would have been recorded with this policy, at this time.

        Raises:
            UsageError: there is no such policy, or no trust store.
        """
        if self.policy is None and self.at is None:
            return run
        from stress.analysis.rejudge import rejudge  # noqa: PLC0415 - heavy

        return rejudge(run, self._judge(run), policy=self.policy, at=self.at)

    def repairs(self, run: Run) -> tuple[str, ...]:
        """What fetching missing issuers proves; empty where that was not requested.

        Raises:
            UsageError: there is no trust store.
        """
        if not self.aia:
            return ()
        from stress.trust.aia import Download  # noqa: PLC0415 - heavy

        # Only a target on a private network may name an issuer on a private network, and only where
        # this command line named that target: what a file says about addresses proves nothing.
        ips = [address.ip for address in run.addresses()]
        private = run.facts().made_now and bool(ips) and not any(is_public(ip) for ip in ips)
        return repair_chains(run, self._judge(run), Download(monotonic, private_too=private))

    def _judge(self, run: Run) -> Judge:
        """Judges with the run's own anchors and pins; those of a system store are read again."""
        from stress.planning.plan import with_anchors  # noqa: PLC0415 - heavy
        from stress.trust import judge_of, load_anchors  # noqa: PLC0415 - heavy

        trust = with_anchors(run.facts().plan, self.stores).trust
        if not trust.anchors:  # nothing was judged when it was recorded
            found = load_anchors(None)
            trust = replace(trust, anchors=found.certificates, anchors_from=found.source)
        judge = judge_of(trust)
        for chain in run.chains():
            judge.meet(chain.certificates)
        return judge


AS_RECORDED = Rejudgement()


def refuse_records(facts: RunFacts, what: str) -> None:
    """Refuses what needs handshakes of ours.

    Args:
        facts: of the run in question.
        what: what cannot be done, such as `there is nothing to replay`.

    Raises:
        UsageError: the file holds records that are not ours.
    """
    if facts.records is not None:
        raise UsageError(
            f"{what}: {facts.name} holds records of {', '.join(facts.records.files[:3])}, "
            "not handshakes of a run",
            "report, compare and export work on it.",
        )


def repair_chains(run: Run, judge: Judge, fetch: Fetch) -> tuple[str, ...]:
    """Fetches what the failing chains of a run lack; one sentence each about what that proves.

    What is fetched is only shown: the verdicts of the run stay about the chains as they were sent.

    Args:
        run: the recorded run.
        judge: with its anchors and pins.
        fetch: returns the body at an http address; raises `OSError` when it cannot.
    """
    from stress.analysis.chains import short  # noqa: PLC0415 - heavy
    from stress.trust import describe  # noqa: PLC0415 - heavy
    from stress.trust.aia import repair  # noqa: PLC0415 - heavy
    from stress.trust.path import OPEN  # noqa: PLC0415 - heavy

    chains = {chain.sha256: chain for chain in run.chains()}
    lacking = {
        verdict.chain: verdict
        for verdict in run.verdicts()
        if verdict.chain in chains
        and verdict.headline is not None
        and verdict.headline.category in OPEN
        and (last := judge.last_link(chains[verdict.chain].certificates)) is not None
        and not last.self_issued
    }
    sentences: list[str] = []
    for verdict in list(lacking.values())[:MOST_REPAIRS]:
        name = f"chain {short(chains[verdict.chain])}"
        found = repair(
            judge,
            chains[verdict.chain].certificates,
            host=verdict.host,
            at=verdict.at,
            policy=verdict.policy,
            fetch=fetch,
        )
        fetched = ", ".join(
            f"{printable(describe(der).subject)} from {printable(url, 200)}"
            for der, url in zip(found.added, found.addresses, strict=True)
        )
        headline = found.after.headline
        if not fetched:
            notes = "; ".join(found.notes) or "nothing fits"
            sentences.append(f"Not proven: what {name} lacks could not be fetched ({notes}).")
        elif found.complete:
            sentences.append(f"Proven: with {fetched} added, {name} is accepted.")
        else:
            left = f"{headline.category.value}, {headline.detail}" if headline else ""
            sentences.append(f"With {fetched} added, {name} still fails: {left}.")
    return tuple(sentences)
