"""The same run as another judge would have recorded it: another policy, another time.

A verdict is computed from stored bytes, so it can be computed again. Only finished handshakes
change: what ended on the wire ended there for everybody. Staples are not stored: a row that failed
by its own stays as it is where the other policy minds, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from stress.model.outcome import OK, Kind, Outcome
from stress.model.plan import Plan
from stress.model.record import Record
from stress.model.run import Cell, Cube, HistogramRow, PortCount, Run, RunFacts, SeenChain
from stress.model.target import Address
from stress.model.verdict import Verdict
from stress.trust import Judge, refused_by_staple


@dataclass(frozen=True, slots=True)
class RejudgedRun:
    """A recorded run under other verdicts. Histograms and local ports stay as recorded."""

    run: Run
    restated: tuple[Verdict, ...]
    policy: str | None
    """Of all clients; None: each client's own, as recorded."""
    at: int | None
    """Unix seconds; None: each chain was judged for its first sight."""

    def facts(self) -> RunFacts:
        facts = self.run.facts()
        recorded = facts.plan.trust
        trust = replace(recorded, policy=self.policy or recorded.policy, at=self.at)
        return replace(facts, plan=replace(facts.plan, trust=trust))

    def addresses(self) -> Sequence[Address]:
        return self.run.addresses()

    def chains(self) -> Sequence[SeenChain]:
        return self.run.chains()

    def verdicts(self) -> Sequence[Verdict]:
        return self.restated

    def cube(self) -> Cube:
        cube, names = self.run.cube(), self._names()
        policies = _policies(self.facts().plan)
        return Cube(cube.block_ns, tuple(_restated(cell, names, policies) for cell in cube.cells))

    def ports(self) -> Sequence[PortCount]:
        return self.run.ports()

    def histograms(self) -> Sequence[HistogramRow]:
        return self.run.histograms()

    def failures(self, limit: int) -> Iterator[Record]:
        return self.run.failures(limit)

    def _names(self) -> dict[tuple[int, int], str]:
        """Chain id and client -> the ending that this judge gives its handshakes."""
        verdicts = {(verdict.chain, verdict.policy): verdict for verdict in self.restated}
        named: dict[tuple[int, int], str] = {}
        for client, policy in enumerate(_policies(self.facts().plan)):
            for chain in self.run.chains():
                verdict = verdicts.get((chain.sha256, policy))
                headline = verdict.headline if verdict else None
                named[chain.id, client] = headline.category.value if headline else OK.name
        return named


def _restated(cell: Cell, names: dict[tuple[int, int], str], policies: Sequence[str]) -> Cell:
    recorded = Outcome.parse(cell.outcome)
    judged = recorded.kind in {Kind.OK, Kind.TRUST}
    if not judged or cell.chain is None or (cell.chain, cell.client) not in names:
        return cell
    name = names[cell.chain, cell.client]
    if name == OK.name and refused_by_staple(recorded.category, policies[cell.client]):
        return cell
    return replace(cell, outcome=name)


def _policies(plan: Plan) -> list[str]:
    """By client."""
    return [plan.trust.policy or client.policy for client in plan.clients]


def rejudge(
    run: Run, judge: Judge, *, policy: str | None = None, at: int | None = None
) -> RejudgedRun:
    """Judges every chain of a run again.

    Args:
        run: the recorded run.
        judge: with the anchors and pins to judge by.
        policy: the trust policy, for all clients; None: as recorded. The word `none`: none.
        at: Unix seconds to judge for; None: each chain at the time of its first sight.

    Raises:
        UsageError: no such policy.
    """
    plan = run.facts().plan
    wanted = {policy} if policy else set(_policies(plan))
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
