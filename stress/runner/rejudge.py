"""Summarizes a recorded run: as it was recorded, or re-evaluated.

Verdicts are computed from stored certificates, so another policy, time or assertion is only another
way to read the same file. The file is never changed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING

from stress.host.addresses import is_public
from stress.model.summary import Summary

if TYPE_CHECKING:
    from stress.model.run import Run
    from stress.trust import Judge


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
    target_is_named: bool = False
    """The target comes from this very command line, not from a file that may be a stranger's."""

    def summarize(self, run: Run) -> Summary:
        """The summary of the run under these settings.

        Raises:
            UsageError: an assertion or a policy is wrong, or there is no trust store.
        """
        from stress.analysis.goals.goal import parse_goals  # noqa: PLC0415 - heavy
        from stress.report.summary import summarize  # noqa: PLC0415 - heavy

        plan = run.facts().plan
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

        return rejudge(run, _judge(run), policy=self.policy, at=self.at)

    def repairs(self, run: Run) -> tuple[str, ...]:
        """What fetching missing issuers proves; empty where that was not requested.

        Raises:
            UsageError: there is no trust store.
        """
        if not self.aia:
            return ()
        from stress.analysis.chains import repair_chains  # noqa: PLC0415 - heavy
        from stress.trust.aia import Download  # noqa: PLC0415 - heavy

        # Only a target on a private network may name an issuer on a private network, and only where
        # the command line names that target: what a file says about addresses is a stranger's word.
        ips = [address.ip for address in run.addresses()]
        private = self.target_is_named and bool(ips) and not any(is_public(ip) for ip in ips)
        return repair_chains(run, _judge(run), Download(monotonic, private_too=private))


AS_RECORDED = Rejudgement()


def _judge(run: Run) -> Judge:
    """Judges with the run's own anchors and pins; those of a system store are read again."""
    from stress.planning.plan import with_anchors  # noqa: PLC0415 - heavy
    from stress.trust import Anchors, Judge, load_anchors  # noqa: PLC0415 - heavy

    trust = with_anchors(run.facts().plan).trust
    if not trust.anchors:  # nothing was judged when it was recorded
        found = load_anchors(None)
        trust = replace(trust, anchors=found.certificates, anchors_from=found.source)
    judge = Judge(Anchors(trust.anchors, trust.anchors_from, trust.private), pins=trust.pins)
    for chain in run.chains():
        judge.meet(chain.certificates)
    return judge
