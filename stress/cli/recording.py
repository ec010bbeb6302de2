"""A run: planning, engine and store, wired together; and the answer read from the file it left.

What is shown is what was stored: `tell` reads the run file, and `report` calls nothing else. The
file stays whatever happens after the first packet; before it, nothing is left behind.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import time, time_ns
from typing import TYPE_CHECKING

from stress.cli import console
from stress.cli.canary import canary_for
from stress.cli.output import Output
from stress.cli.rejudge import AS_RECORDED, Review
from stress.errors import UsageError
from stress.model.plan import Plan
from stress.model.record import Record
from stress.model.run import Progress, RunEnd
from stress.model.summary import Summary
from stress.model.target import Address

if TYPE_CHECKING:
    from stress.analysis.goals.stopping_rule import StoppingRule
    from stress.analysis.limit.search import SearchSequence
    from stress.cli.observers import Watching
    from stress.engine.coordinator import Hear, Watch
    from stress.planning import Request
    from stress.store import RunWriter

RESULTS = Path("results")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the run file goes."""

    folder: Path = RESULTS
    name: str | None = None
    """None: named after the host and the time."""


def prepare(request: Request) -> Plan:
    """Checks everything that was asked for; nothing but DNS queries has been sent afterwards.

    Raises:
        UsageError: something is wrong with it.
    """
    from stress.analysis.goals.stopping_rule import check_goals  # noqa: PLC0415 - heavy
    from stress.planning import filled, plan_run  # noqa: PLC0415 - heavy

    words, _ = filled(request)
    check_goals(words.until, words.assertions)
    return plan_run(request, now=int(time()))


def place_of(request: Request, folder: Path | None, name: str | None) -> Place:
    """Where the command line, else the profile, else the default wants the run file.

    Raises:
        UsageError: the profile is bad.
    """
    from stress.planning import filled  # noqa: PLC0415 - heavy

    words, _ = filled(request)
    chosen = folder or (Path(words.results) if words.results else RESULTS)
    return Place(chosen, name or words.name)


def record(plan: Plan, place: Place, output: Output) -> Path:
    """Does the plan and keeps what was seen; gives the finished run file.

    Raises:
        UsageError: the file cannot be made, or a worker cannot do the plan. Nothing was sent.
        RecordError: the end could not be written; what was committed is in the file.
    """
    from stress.engine.versions import versions  # noqa: PLC0415 - heavy
    from stress.store import RunWriter  # noqa: PLC0415 - heavy

    _search(plan)  # a bad goal is told before there is a file
    programs, host = versions(plan), _whence(plan.addresses)
    path = _reserved(plan, place)
    writer = RunWriter.create(path, plan, started_ns=time_ns(), versions=programs, host=host)
    try:
        ending = _watched(plan, writer, output)
        writer.finish(ending)
    except (UsageError, KeyboardInterrupt):  # the former only before the first packet
        writer.close()
        if not writer.taken:
            path.unlink()
        raise
    finally:
        writer.close()
    console.say(f"run file: {path}")
    return path


def tell(path: Path, output: Output, review: Review = AS_RECORDED) -> Summary:
    """Reads a run file and prints what it says: all that `report` does.

    Args:
        path: of the run file.
        output: how to print it.
        review: how to judge it otherwise than it was recorded.

    Raises:
        RunFileError: there is no readable run.
        UsageError: it cannot be judged in that way.
    """
    from stress.report.summary import summarize  # noqa: PLC0415 - heavy
    from stress.store import open_run  # noqa: PLC0415 - heavy

    with open_run(path) as run:
        goals, judged = review.goals(run), review.judged(run)
        repairs = review.repairs(judged)
        summary = summarize(judged, goals=goals, repairs=repairs)
        output.show(summary, run)
    return summary


def _reserved(plan: Plan, place: Place) -> Path:
    """A run file of our own, made now so that nobody else takes the name."""
    from stress.store import default_name, reserve  # noqa: PLC0415 - heavy

    name = place.name or default_name(plan.target.host, datetime.now(UTC))
    path = reserve(place.folder, name)
    if path.stem != name.removesuffix(path.suffix):
        console.say(f'the name "{name}" is taken; this run is "{path.stem}"')
    return path


def _watched(plan: Plan, writer: RunWriter, output: Output) -> RunEnd:
    from stress.engine.coordinator import run  # noqa: PLC0415 - heavy

    watching, search, keeper = output.watching(plan), _search(plan), _keeper(plan)
    watch = _both(watching, keeper.reason) if keeper else watching
    hear, again = _heard(watching, keeper), _again(plan)
    try:
        with canary_for(plan) as bird:
            ending = run(
                plan,
                writer,
                watch=watch,
                resolve=again,
                conductor=search,
                hear=hear,
                canary=bird,
                still=watching.pausing,
            )
    finally:
        watching.close()
    return ending if search is None else replace(ending, limits=search.limits())


def _keeper(plan: Plan) -> StoppingRule | None:
    """Watches for the goals that end the run; None when there are none."""
    if not plan.goals:
        return None
    from stress.analysis.goals.stopping_rule import StoppingRule  # noqa: PLC0415 - heavy

    return StoppingRule(plan.goals, plan.load.processes)


def _both(first: Watch, second: Watch) -> Watch:
    """Tells two where the run stands; the first with a reason to stop it is heard."""

    def watch(progress: Progress) -> str | None:
        return first(progress) or second(progress)

    return watch


def _heard(watching: Watching, keeper: StoppingRule | None) -> Hear:
    """Shows the records to whoever watches, and to the keeper of the goals."""

    def hear(records: Sequence[Record]) -> None:
        watching.hear(records)
        if keeper is not None:
            keeper.take(records)

    return hear


def _search(plan: Plan) -> SearchSequence | None:
    """Chooses the load of a search for the limit; None when the plan has a load of its own."""
    if not plan.find_limit:
        return None
    from stress.analysis.goals.goal import parse_goals  # noqa: PLC0415 - heavy
    from stress.analysis.limit.search import limit_searches  # noqa: PLC0415 - heavy

    return limit_searches(plan, parse_goals(plan.find_limit.split(",")))


def _again(plan: Plan) -> Callable[[], Awaitable[Sequence[Address]]]:
    """Asks once more what the target's name stands for, within what was agreed."""
    from stress.planning import Guard  # noqa: PLC0415 - heavy

    guard = Guard(plan)

    async def ask() -> Sequence[Address]:
        try:
            return (await guard(plan.target, plan.resolver)).addresses
        except UsageError:  # a name that stopped resolving does not end a run: nobody joins
            return ()

    return ask


def _whence(addresses: Sequence[Address]) -> str:
    """From where: this host's name, and the local address that faces the target."""
    name = socket.gethostname()
    family = socket.AF_INET6 if addresses[0].family == "ipv6" else socket.AF_INET
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((addresses[0].ip, addresses[0].port))  # of UDP: no packet leaves
        return f"{name} ({probe.getsockname()[0]})"
    return name
