"""Replays the failures of a recorded run: makes the plan, and reads the result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stress.model.plan import Plan

if TYPE_CHECKING:
    from stress.analysis.compare.replay import ReplayResult
    from stress.model.run import End, Run
    from stress.report.replay import ReplayReport


def plan_replay(recorded: Run, *, cause: int | None, tries: int, gap_s: float | None) -> Plan:
    """The plan that repeats the failing combinations of a run among as many good ones.

    Args:
        recorded: the run.
        cause: number of the only cause to replay; None: all failures.
        tries: how often each combination is tried.
        gap_s: pause before a combination is tried again; None: as the addresses need.

    Raises:
        UsageError: there is nothing to replay, or it can no longer be done from here.
    """
    from stress.analysis.compare.replayed import replay_of  # noqa: PLC0415 - heavy
    from stress.planning import resume  # noqa: PLC0415 - heavy
    from stress.report.summary import summarize  # noqa: PLC0415 - heavy

    addresses = recorded.addresses()
    replay = replay_of(
        recorded,
        summarize(recorded),
        gap_s=resume.gap_s(addresses) if gap_s is None else gap_s,
        cause=cause,
        tries=tries,
    )
    return resume.replay_plan(recorded.facts().plan, addresses, replay)


def read_replay(file: Path) -> tuple[ReplayReport, ReplayResult, End]:
    """The report of a finished replay, its answer, and how its run ended."""
    from stress.analysis.compare.replayed import (  # noqa: PLC0415 - heavy
        conclude,
        failing_first,
        replayed,
    )
    from stress.report.replay import ReplayReport  # noqa: PLC0415 - heavy
    from stress.store import open_run  # noqa: PLC0415 - heavy

    with open_run(file) as run:
        facts, records = run.facts(), tuple(run.records())
        assert facts.plan.replay is not None
        answer = conclude(facts.plan.replay, records)
        found = failing_first(replayed(facts.plan.replay, records))
        report = ReplayReport(facts, run.addresses(), found, answer)
    return report, answer, facts.end
