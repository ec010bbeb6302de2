"""How a recorded run is judged when it is told: as it was recorded, or otherwise.

Verdicts are computed from stored bytes, so another policy, another time or another assertion is
only another reading of the same file; the file itself stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stress.analysis.goals.goal import Goal
    from stress.model.run import Run
    from stress.model.target import Address
    from stress.trust import Judge


@dataclass(frozen=True, slots=True)
class Review:
    """What is asked of a recorded run besides what it was asked when it was made."""

    assertions: tuple[str, ...] = ()
    """Instead of the run's own goals and assertions; empty: those."""
    policy: str | None = None
    at: int | None = None
    """Unix seconds to judge for."""
    aia: bool = False
    """Fetch what failing chains lack."""

    def goals(self, run: Run) -> Sequence[Goal]:
        """What decides the verdict.

        Raises:
            UsageError: one cannot be read.
        """
        from stress.analysis.goals.goal import parse_goals  # noqa: PLC0415 - heavy

        plan = run.facts().plan
        return parse_goals(self.assertions) or parse_goals([*plan.goals, *plan.assertions])

    def judged(self, run: Run) -> Run:
        """The run as it would have been recorded under this policy, at this time.

        Raises:
            UsageError: no such policy, or there is no trust store to judge by.
        """
        if self.policy is None and self.at is None:
            return run
        from stress.analysis.rejudge import rejudge  # noqa: PLC0415 - heavy

        return rejudge(run, _judge(run), policy=self.policy, at=self.at)

    def repairs(self, run: Run) -> tuple[str, ...]:
        """What can be proven by fetching; nothing when that was not asked for.

        Raises:
            UsageError: there is no trust store to judge by.
        """
        if not self.aia:
            return ()
        from stress.analysis.chains import repair_chains  # noqa: PLC0415 - heavy
        from stress.trust.download import Download  # noqa: PLC0415 - heavy

        fetch = Download(monotonic, private_too=_private(run.addresses()))
        return repair_chains(run, _judge(run), fetch)


AS_RECORDED = Review()


def _private(addresses: Sequence[Address]) -> bool:
    """Whether the target itself is on a private network, so that its certificates may be, too."""
    return all(not ip_address(address.ip).is_global for address in addresses)


def _judge(run: Run) -> Judge:
    """By the anchors and pins of the run; those of a system store are read again."""
    from stress.planning.resume import with_anchors  # noqa: PLC0415 - heavy
    from stress.trust import Anchors, Judge, load_anchors  # noqa: PLC0415 - heavy

    trust = with_anchors(run.facts().plan).trust
    if not trust.anchors:  # nothing was judged when it was recorded
        found = load_anchors(None)
        trust = replace(trust, anchors=found.certificates, anchors_from=found.source)
    judge = Judge(Anchors(trust.anchors, trust.anchors_from, trust.private), pins=trust.pins)
    for chain in run.chains():
        judge.meet(chain.certificates)
    return judge
