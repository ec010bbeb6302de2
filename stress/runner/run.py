"""Performs a run: wires planning, engine and store together, and leaves one run file.

`run`, `run --continue`, `replay`, `demo` and searches for the limit all go through `record`, so all
of them have the same live view, metrics, canary and handling of interrupts. The file stays whatever
happens after the first packet; before it, nothing is left behind.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import time, time_ns
from typing import TYPE_CHECKING

from stress.errors import LabError, UsageError
from stress.host.addresses import source_address
from stress.model.observer import Sink
from stress.model.plan import Address, Plan
from stress.model.run import End, RunEnd, RunFacts
from stress.planning.request import Request
from stress.runner.observers import Display, observers_for

# Starts a healthy lab server next to a high load, for the engine's canary handshakes.
#
# A canary shows how late this machine itself is. The server is one small process on loopback,
# started only for a search for the limit and for 200 handshakes a second and more: below that the
# load hardly delays this machine.

LEAST_RATE = 200.0
SCENARIO = "healthy"


def needs_canary(plan: Plan) -> bool:
    """Whether the load of the run is high enough to disturb this machine."""
    return bool(plan.find_limit) or (plan.load.rate or 0.0) >= LEAST_RATE


@contextmanager
def canary_for(plan: Plan, notify: Callable[[str], None]) -> Iterator[Address | None]:
    """Serves a canary during the run; None where the run needs none or none could be started."""
    if not needs_canary(plan):
        yield None
        return
    from stress.lab.farm import start  # noqa: PLC0415 - heavy

    try:
        farm = start(SCENARIO)
    except LabError as error:
        notify(f"no canary: {error.message}")
        yield None
        return
    with farm:
        yield farm.addresses[0]


# Resumes an interrupted run: its records are copied to a new file, and the run continues there.
#
# The old file stays as it is, because nothing is ever overwritten.

if TYPE_CHECKING:
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
        from stress.store.resume import copy_run  # noqa: PLC0415 - heavy

        with open_run(self.file) as run:
            copy_run(run, writer)
        writer.commit(0)


def read_first_part(run: str, folder: Path) -> tuple[FirstPart, Plan]:
    """The interrupted run, and the plan of what is left of it.

    Args:
        run: path of its file, or its name in the folder.
        folder: the results folder.

    Raises:
        UsageError: there is no such run, it is still running, or nothing is left to do.
    """
    from stress.planning.plan import remainder, with_anchors  # noqa: PLC0415 - heavy
    from stress.store import locate, open_run  # noqa: PLC0415 - heavy
    from stress.store.resume import extent  # noqa: PLC0415 - heavy

    file = locate(run, folder)
    with open_run(file) as before:
        facts, addresses = before.facts(), before.addresses()
        # A file without an end mark that was written to a moment ago: the run is still running.
        log = file.with_name(f"{file.name}-wal")
        written = max(each.stat().st_mtime for each in (file, log) if each.exists())
        if facts.end is End.UNFINISHED and time() - written < _QUIET_S:
            raise UsageError(
                f"the run {facts.name} seems to be running: its file was written to a moment ago",
                f"Stop it first, or wait for {_QUIET_S:.0f} s if its process has died.",
            )
        facts, reached = replace(facts, plan=with_anchors(facts.plan)), extent(before)
    plan, now_ns = remainder(facts, addresses, last_ns=reached.last_ns), time_ns()
    stopped, now = (datetime.fromtimestamp(ns / _SECOND, UTC) for ns in (reached.last_ns, now_ns))
    lost = facts.started - facts.recorded
    gap = (
        f"resumed after {(now - stopped).total_seconds():,.0f} s in which nothing was sent"
        f" ({stopped:%Y-%m-%dT%H:%M:%SZ} to {now:%H:%M:%SZ})"
        + (f"; {lost:,} attempts of the first part were not recorded" if lost else "")
    )
    stood_ns = facts.stood_ns + now_ns - reached.last_ns
    return FirstPart(file, facts, reached.next_id, gap, stood_ns), plan


if TYPE_CHECKING:
    from stress.analysis.limit.search import SearchSequence
    from stress.store import RunWriter

RESULTS = Path("results")


@dataclass(frozen=True, slots=True)
class RunLocation:
    """Where the run file goes."""

    folder: Path = RESULTS
    name: str | None = None
    """None: named after the host and the time."""

    @classmethod
    def of(cls, settings: Request) -> RunLocation:
        """The location that a command line and its profile request."""
        return cls(Path(settings.results) if settings.results else RESULTS, settings.name)


def prepare(request: Request) -> Plan:
    """Checks everything that was requested; sends nothing but DNS queries.

    Raises:
        UsageError: something is wrong with it.
    """
    from stress.analysis.goals.stopping_rule import check_goals  # noqa: PLC0415 - heavy
    from stress.planning.plan import plan_run  # noqa: PLC0415 - heavy
    from stress.planning.profile import filled  # noqa: PLC0415 - heavy

    settings, _ = filled(request)
    check_goals(settings.until, settings.assertions)
    return plan_run(request, now=int(time()))


def record(
    plan: Plan, location: RunLocation, display: Display, first_part: FirstPart | None = None
) -> Path:
    """Performs a plan and records it; returns the finished run file.

    Args:
        plan: what to do.
        location: where the file goes.
        display: how the run shows itself.
        first_part: the interrupted run that the plan completes; the file will hold both.

    Raises:
        UsageError: the file cannot be made, or a worker cannot do the plan. Nothing was sent.
        RecordError: the end could not be written; what was committed is in the file.
    """
    from stress.analysis.goals.goal import parse_goals  # noqa: PLC0415 - heavy
    from stress.analysis.limit.search import limit_searches  # noqa: PLC0415 - heavy

    controller = None
    if plan.find_limit:  # a bad goal is reported before there is a file
        controller = limit_searches(plan, parse_goals(plan.find_limit.split(",")))
    path, writer = _create(plan, location, display, first_part)
    copied = writer.taken
    try:
        if first_part is None:
            writer.finish(_execute(plan, writer, controller, display))
        else:
            display.notify(first_part.gap)
            facts = first_part.facts
            ending = _execute(plan, writer, controller, display, first_part.next_id)
            reasons = (*facts.reasons, first_part.gap, *ending.reasons)
            stood_ns = first_part.stood_ns + ending.stood_ns
            writer.finish(replace(ending, stood_ns=stood_ns, reasons=reasons))
    except (UsageError, KeyboardInterrupt):  # the former only before the first packet
        writer.close()
        if writer.taken == copied:
            path.unlink()
        raise
    finally:
        writer.close()
    display.notify(f"run file: {path}")
    return path


def _create(
    plan: Plan, location: RunLocation, display: Display, first_part: FirstPart | None
) -> tuple[Path, RunWriter]:
    """A new run file, in which the first part of a resumed run is already recorded."""
    from stress.engine.preflight import versions  # noqa: PLC0415 - heavy
    from stress.store import RunWriter, default_name, reserve  # noqa: PLC0415 - heavy

    programs, whole, started_ns, stood_ns, name = versions(plan), plan, time_ns(), 0, location.name
    if first_part is not None:
        facts, stood_ns = first_part.facts, first_part.stood_ns
        whole, started_ns, name = facts.plan, facts.started_ns, name or facts.name
    name = name or default_name(plan.target.host, datetime.now(UTC))
    path = reserve(location.folder, name)
    if path.stem != name.removesuffix(path.suffix):
        display.notify(f'the name "{name}" is taken; this run is "{path.stem}"')
    first = plan.addresses[0]
    local = source_address(first.ip, first.port)
    host = f"{socket.gethostname()} ({local})" if local else socket.gethostname()
    writer = RunWriter.create(
        path,
        whole,
        started_ns=started_ns,
        versions=programs,
        host=host,
        stood_ns=stood_ns,
        before=first_part.facts.started if first_part is not None else 0,
    )
    try:
        if first_part is not None:
            first_part.copy_to(writer)
    except BaseException:
        writer.close()
        path.unlink()
        raise
    return path, writer


def _execute(
    plan: Plan, sink: Sink, controller: SearchSequence | None, display: Display, first_id: int = 0
) -> RunEnd:
    """Lets the engine do the plan, watched by all observers."""
    from stress.engine import coordinator  # noqa: PLC0415 - heavy
    from stress.planning.consent import Guard  # noqa: PLC0415 - heavy

    guard = Guard(plan)

    async def resolve() -> Sequence[Address]:
        try:
            return (await guard(plan.target, plan.resolver)).addresses
        except UsageError:  # a name that no longer resolves does not end a run: no address joins
            return ()

    with (
        observers_for(plan, display) as observers,
        canary_for(plan, display.notify) as canary,
    ):
        ending = coordinator.run(
            plan,
            sink,
            observers,
            controller=controller,
            resolve=resolve,
            first_id=first_id,
            canary=canary,
        )
    return ending if controller is None else replace(ending, limits=controller.limits())


# Replays the failures of a recorded run: makes the plan, and reads the result.

if TYPE_CHECKING:
    from stress.analysis.compare.replay import ReplayResult
    from stress.model.run import Run
    from stress.report.comparison import ReplayReport


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
    from stress.analysis.compare.replay import replay_of  # noqa: PLC0415 - heavy
    from stress.planning import plan  # noqa: PLC0415 - heavy
    from stress.report.summary import summarize  # noqa: PLC0415 - heavy

    addresses = recorded.addresses()
    replay = replay_of(
        recorded,
        summarize(recorded),
        gap_s=plan.gap_s(addresses) if gap_s is None else gap_s,
        cause=cause,
        tries=tries,
    )
    return plan.replay_plan(recorded.facts().plan, addresses, replay)


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
