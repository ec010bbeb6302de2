"""A recorded run under other verdicts: another trust policy, or another time.

A verdict is computed from stored bytes, so it can be computed again. Only finished handshakes
change: what ended on the wire ended there for every client. Staples are not stored: a row that
failed because of its own stays as it is where the other policy checks staples, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stress.analysis.verdict import policies
from stress.model.chain import Verdict
from stress.model.outcome import OK, Kind, Outcome
from stress.model.run import Cell, Cells, Cube, Run, RunFacts, RunView
from stress.trust import Judge, refused_by_staple


@dataclass(frozen=True, slots=True)
class RejudgedRun(RunView):
    """A `Run` with other verdicts. Histograms and local ports stay as recorded."""

    rejudged: tuple[Verdict, ...]
    policy: str | None
    """Of all clients; None: each client's own, as recorded."""
    at: int | None
    """Unix seconds; None: each chain was judged for the time of its first sight."""

    def facts(self) -> RunFacts:
        facts = self.run.facts()
        recorded = facts.plan.trust
        trust = replace(recorded, policy=self.policy or recorded.policy, at=self.at)
        return replace(facts, plan=replace(facts.plan, trust=trust))

    def verdicts(self) -> Sequence[Verdict]:
        return self.rejudged

    def cube(self) -> Cube:
        cube, by_client = self.run.cube(), policies(self.facts().plan)
        verdicts = {(verdict.chain, verdict.policy): verdict for verdict in self.rejudged}
        names: dict[tuple[int | None, int], str] = {}
        for client, policy in enumerate(by_client):
            for chain in self.run.chains():
                verdict = verdicts.get((chain.sha256, policy))
                headline = verdict.headline if verdict else None
                names[chain.id, client] = headline.category.value if headline else OK.name

        def outcome(cell: Cell) -> str:
            recorded = Outcome.parse(cell.outcome)
            name = names.get((cell.chain, cell.client))
            if name is None or recorded.kind not in {Kind.OK, Kind.TRUST}:
                return cell.outcome
            policy = by_client[cell.client]
            stapled = name == OK.name and refused_by_staple(recorded.category, policy)
            return cell.outcome if stapled else name

        cells = Cells.of_cells(cube.cells)
        return Cube(cube.block_ns, cells.changed(lambda kind: kind._replace(outcome=outcome(kind))))


def rejudge(
    run: Run, judge: Judge, *, policy: str | None = None, at: int | None = None
) -> RejudgedRun:
    """Judges every chain of a run again.

    Args:
        run: the recorded run.
        judge: with the anchors and pins to judge by.
        policy: the trust policy, for all clients; None: as recorded. `none` accepts everything.
        at: Unix seconds to judge for; None: each chain at the time of its first sight.

    Raises:
        UsageError: no such policy.
    """
    plan = run.facts().plan
    wanted = {policy} if policy else set(policies(plan))
    verdicts = tuple(
        verdict
        for chain in run.chains()
        for verdict in judge.verdicts(
            chain.certificates,
            host=plan.trust.host,
            at=chain.first_ns // 1_000_000_000 if at is None else at,
            policies=wanted,
        ).values()
    )
    return RejudgedRun(run, verdicts, policy, at)
