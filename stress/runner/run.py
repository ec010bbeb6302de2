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
from stress.model.plan import PROBES, Address, Plan
from stress.model.run import End, RunEnd, Vantage
from stress.planning.request import Request
from stress.runner.again import FirstPart
from stress.runner.observers import BusySign, Display, observers_for
from stress.text.numbers import counted

if TYPE_CHECKING:
    from stress.analysis.limit.search import SearchSequence
    from stress.store import RunWriter

RESULTS = Path("results")
CLOSING = "closes by "
"""How the note begins that every plan has; the others tell what somebody may not expect."""


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

    def reserve(self, default: str, notify: Callable[[str], None]) -> Path:
        """Make the file, still empty; one that exists is never replaced.

        Args:
            default: its name where the user gave none.
            notify: prints a message, where the name is taken and the file gets another.

        Raises:
            UsageError: it cannot be made.
        """
        from stress.store import reserve  # noqa: PLC0415 - heavy

        name = self.name or default
        path = reserve(self.folder, name)
        if path.stem != name.removesuffix(path.suffix):
            notify(f'the name "{name}" is taken; this run is "{path.stem}"')
        return path

    @contextmanager
    def created(self, default: str, notify: Callable[[str], None]) -> Iterator[Path]:
        """As `reserve`; the file is removed again where it could not be written."""
        path = self.reserve(default, notify)
        try:
            yield path
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        notify(f"run file: {path}")


@dataclass(frozen=True, slots=True)
class VantagePart:
    """What a run is told that is a part of a run from several machines."""

    vantage: Vantage
    """This machine; the start is filled in."""
    begin: Callable[[], int | None]
    """Called when all workers are ready; waits for the others, and returns the monotonic time of
    the common start, or None where there will be none."""


def prepare(request: Request) -> Plan:
    """Checks everything that was requested; sends nothing but DNS queries.

    Raises:
        UsageError: something is wrong with it.
    """
    from stress.analysis.goals.evidence import check_ceiling, check_goals  # noqa: PLC0415 - heavy
    from stress.planning.plan import plan_run  # noqa: PLC0415 - heavy
    from stress.planning.profile import filled  # noqa: PLC0415 - heavy

    settings, _ = filled(request)
    check_goals(settings.until, settings.assertions)
    plan = plan_run(request, now=int(time()))
    check_ceiling(plan.goals, plan.load.duration_s)
    return plan


def record(
    plan: Plan,
    location: RunLocation,
    display: Display,
    first_part: FirstPart | None = None,
    part: VantagePart | None = None,
) -> Path:
    """Performs a plan and records it; returns the finished run file.

    Args:
        plan: what to do.
        location: where the file goes.
        display: how the run shows itself.
        first_part: the interrupted run that the plan completes; the file will hold both.
        part: where the run is a part of one from several machines, what it is told about that.

    Raises:
        UsageError: the file cannot be made, or a worker cannot do the plan. Nothing was sent.
        RecordError: the end could not be written; what was committed is in the file.
    """
    from stress.analysis.goals.goal import parse_goals  # noqa: PLC0415 - heavy
    from stress.analysis.limit.search import limit_searches  # noqa: PLC0415 - heavy

    controller = None
    if plan.find_limit:  # a bad goal is reported before there is a file
        controller = limit_searches(plan, parse_goals(plan.find_limit.split(",")))
    if plan.authorized:
        display.notify(f"authorized by {plan.authorized}")
    if first_part is None and plan.replay is None:
        for note in plan.notes:
            if not note.startswith(CLOSING):
                display.notify(note)
    path, writer = _create(plan, location, display, first_part, part)
    copied = writer.taken
    try:
        if first_part is None:
            begin = part.begin if part else None
            ending = _execute(plan, writer, controller, display, begin=begin)
            writer.finish(_with_matrix(plan, ending, display))
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
    plan: Plan,
    location: RunLocation,
    display: Display,
    first_part: FirstPart | None,
    part: VantagePart | None,
) -> tuple[Path, RunWriter]:
    """A new run file, in which the first part of a resumed run is already recorded."""
    from stress.engine.preflight import versions  # noqa: PLC0415 - heavy
    from stress.store import RunWriter, default_name  # noqa: PLC0415 - heavy

    programs, whole, started_ns, stood_ns = versions(plan), plan, time_ns(), 0
    name = default_name(plan.target.host, datetime.now(UTC))
    vantages: Sequence[Vantage] = ()
    if first_part is not None:
        facts, stood_ns, vantages = first_part.facts, first_part.stood_ns, first_part.facts.vantages
        whole, started_ns, name = facts.plan, facts.started_ns, facts.name
    path = location.reserve(name, display.notify)
    first = plan.proxy.address if plan.proxy else plan.addresses[0]
    local = source_address(first.ip, first.port)
    host = f"{socket.gethostname()} ({local})" if local else socket.gethostname()
    if part is not None:
        vantages = (replace(part.vantage, host=host, started_ns=started_ns),)
    writer: RunWriter | None = None
    try:
        writer = RunWriter(
            path,
            whole,
            started_ns=started_ns,
            versions=programs,
            host=host,
            stood_ns=stood_ns,
            before=first_part.facts.started if first_part is not None else 0,
            vantages=vantages,
        )
        if first_part is not None:
            first_part.copy_to(writer)
    except BaseException:
        if writer is not None:
            writer.close()
        path.unlink()
        raise
    return path, writer


def _execute(
    plan: Plan,
    sink: Sink,
    controller: SearchSequence | None,
    display: Display,
    first_id: int = 0,
    begin: Callable[[], int | None] | None = None,
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

    terminal = display.stream if display.rewrites else None
    with (
        BusySign(terminal, f"starting {counted(plan.load.processes, 'worker')}") as sign,
        observers_for(plan, display, controller.state if controller else None) as observers,
        canary_for(plan, display.notify) as canary,
    ):
        ending = coordinator.run(
            plan,
            sink,
            [sign, *observers],
            controller=controller,
            resolve=resolve,
            first_id=first_id,
            canary=canary,
            begin=begin,
        )
    return ending if controller is None else replace(ending, limits=controller.limits())


def _with_matrix(plan: Plan, ending: RunEnd, display: Display) -> RunEnd:
    """Offers sessions to more connections, where that was asked for and the run went to its end."""
    if not plan.backends or ending.end is not End.COMPLETED:
        return ending
    from stress.engine.matrix import LONGEST_S, RATE, resumption_matrix  # noqa: PLC0415 - heavy

    display.notify(
        f"--backends: up to {PROBES} more connections, one at a time, at most {RATE:.0f} a second"
        f" and for {LONGEST_S:.0f} s"
    )
    try:
        return replace(ending, matrix=resumption_matrix(plan))
    except UsageError as error:  # such as a file that is gone; the run itself is whole
        display.notify(f"--backends: {error.message}")
        return ending


# A healthy lab server next to a high load, for the engine's canary handshakes: they show how late
# this machine itself is. It is one small process on loopback, started only for a search for the
# limit and for 200 handshakes a second and more: below that the load hardly delays this machine.

LEAST_RATE = 200.0


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
        farm = start("healthy")
    except LabError as error:
        notify(f"no canary: {error.message}")
        yield None
        return
    with farm:
        yield farm.addresses[0]
