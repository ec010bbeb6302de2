"""Connects again as a recorded run did: the rest of an interrupted run, or its failures (replay).

The recorded file stays as it is, because nothing is ever overwritten: an interrupted run is copied
to a new file and continues there, and a replay is a run of its own. The file may be a stranger's:
what it needs of ours, consent and a client certificate, comes from this command line alone
(`stress.planning.plan`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import time, time_ns
from typing import TYPE_CHECKING

from stress.errors import UsageError
from stress.model.attributes import Dimension, place
from stress.model.plan import Plan
from stress.model.run import End, RunFacts
from stress.planning.request import Request
from stress.runner.judge import refuse_records
from stress.text.escape import shell_line

if TYPE_CHECKING:
    from stress.analysis.compare.replay import ReplayResult
    from stress.model.run import Run
    from stress.report.comparison import ReplayReport
    from stress.store import RunWriter

_SECOND = 1_000_000_000
_QUIET_S = 5.0
"""A running run commits several times a second."""


@dataclass(frozen=True, slots=True)
class FirstPart:
    """The interrupted run that is resumed."""

    file: Path
    facts: RunFacts
    """With the trust anchors of this machine, where the run used a system store."""
    next_id: int
    """Above the ids of all its attempts."""
    gap: str
    """How long nothing was sent between the two parts, as a sentence."""
    stood_ns: int
    """How long it was paused, the gap included."""

    def copy_to(self, writer: RunWriter) -> None:
        """Copy everything that was recorded.

        Raises:
            RunFileError: the file is damaged.
            RecordError: the new file cannot be written.
        """
        from stress.store import open_run  # noqa: PLC0415 - heavy
        from stress.store.writer import copy_run  # noqa: PLC0415 - heavy

        with open_run(self.file) as run:
            copy_run(run, writer)
        writer.commit(0)


def read_first_part(request: Request, folder: Path) -> tuple[FirstPart, Plan]:
    """The interrupted run, and the plan of what is left of it.

    Args:
        request: this command line, with the path or the name of the run in `interrupted`.
        folder: the results directory.

    Raises:
        UsageError: there is no such run, it is still running, nothing is left to do, or this
            command line lacks consent or the client certificate.
    """
    from stress.planning.plan import remainder, with_anchors  # noqa: PLC0415 - heavy
    from stress.store import locate, open_run  # noqa: PLC0415 - heavy
    from stress.store.writer import extent  # noqa: PLC0415 - heavy

    file = locate(request.interrupted, folder)
    with open_run(file) as before:
        facts = before.facts()
        refuse_records(facts, "there is nothing to continue")
        if facts.merged:
            raise UsageError(
                f"the run {facts.name} is merged from {len(facts.vantages)} machines",
                "Continue the run file of each machine, there, and merge them again.",
            )
        # A run that was killed while it started has recorded no address yet.
        addresses = before.addresses() or facts.plan.addresses
        # A file without an end mark that was written to a moment ago: the run is still running.
        log = file.with_name(f"{file.name}-wal")
        written = max(each.stat().st_mtime for each in (file, log) if each.exists())
        if facts.end is End.UNFINISHED and time() - written < _QUIET_S:
            raise UsageError(
                f"the run {facts.name} seems to be running: its file was written to a moment ago",
                f"Stop it first, or wait for {_QUIET_S:.0f} s if its process has died.",
            )
        next_id, last_ns = extent(before)
    plan = remainder(facts, addresses, last_ns=last_ns, request=request)
    # What this command line decides holds for the whole run; the rest is as it was recorded.
    whole = replace(
        with_anchors(facts.plan, request.stores),
        authorized=plan.authorized,
        client_certificate=plan.client_certificate,
        client_key=plan.client_key,
    )
    facts, now_ns = replace(facts, plan=whole), time_ns()
    stopped, now = (datetime.fromtimestamp(ns / _SECOND, UTC) for ns in (last_ns, now_ns))
    lost = facts.started - facts.recorded
    gap = (
        f"resumed after {(now - stopped).total_seconds():,.0f} s in which nothing was sent"
        f" ({stopped:%Y-%m-%dT%H:%M:%SZ} to {now:%H:%M:%SZ})"
        + (f"; {lost:,} attempts of the first part were not recorded" if lost else "")
    )
    stood_ns = facts.stood_ns + now_ns - last_ns
    return FirstPart(file, facts, next_id, gap, stood_ns), plan


def plan_replay(
    recorded: Run, request: Request, *, cause: int | None, tries: int, gap_s: float | None
) -> Plan:
    """The plan that repeats the failing combinations of a run among as many good ones, or its load.

    Args:
        recorded: the run.
        request: this command line, for consent and the client certificate.
        cause: number of the only cause to replay; None: all failures.
        tries: how often each combination is tried.
        gap_s: pause before a combination is tried again; None: as the addresses need.

    Raises:
        UsageError: there is nothing to replay, it can no longer be done from here, or this
            command line lacks consent or the client certificate.
    """
    from stress.analysis.compare.replay import replay_of  # noqa: PLC0415 - heavy
    from stress.planning import plan  # noqa: PLC0415 - heavy
    from stress.planning.run_command import run_argv  # noqa: PLC0415 - heavy
    from stress.report.summary import summarize  # noqa: PLC0415 - heavy

    facts, addresses = recorded.facts(), recorded.addresses()
    refuse_records(facts, "there is nothing to replay")
    summary = summarize(recorded)
    for each in summary.causes:
        told = [one for one in each.conditions if one.dimension == Dimension.VANTAGE]
        if facts.vantages and told and cause in {None, each.rank}:
            raise UsageError(
                f"cause {each.rank} of {facts.name} is seen {place(told)} only:"
                " a replay from this machine would say nothing about it",
                "Make the run from the same vantages again, and compare. A run that the machine"
                " made for itself\ncan be replayed there.",
            )
    replay = replay_of(
        recorded,
        summary,
        gap_s=plan.gap_s(addresses) if gap_s is None else gap_s,
        cause=cause,
        tries=tries,
    )
    if replay.at_load and facts.plan.find_limit:
        raise UsageError(
            f"the run {facts.name} searched for a limit, and its failures may depend on the load of"
            " its steps: a replay does not search",
            f"Search again: {shell_line(run_argv(facts.plan))}",
        )
    return plan.replay_plan(facts.plan, addresses, replay, request, started=facts.started)


def read_replay(file: Path) -> tuple[ReplayReport, ReplayResult, End]:
    """The report of a finished replay, its answer, and how its run ended."""
    from stress.analysis.compare.replay import conclude, failing_first, replayed  # noqa: PLC0415 - heavy
    from stress.report.comparison import ReplayReport  # noqa: PLC0415 - heavy
    from stress.store import open_run  # noqa: PLC0415 - heavy

    with open_run(file) as run:
        facts, records = run.facts(), tuple(run.records())
        assert facts.plan.replay is not None
        answer = conclude(facts.plan.replay, records)
        found = failing_first(replayed(facts.plan.replay, records))
        report = ReplayReport(facts, run.addresses(), found, answer)
    return report, answer, facts.end
