"""`tls-stress run --continue`: an interrupted run is taken up, and both parts become one run.

The new file tells both parts; the old one stays as it is, because nothing is ever overwritten.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import time, time_ns
from typing import TYPE_CHECKING

from stress.cli import console
from stress.cli.output import Output
from stress.cli.recording import Place, _again, _reserved, _whence
from stress.errors import UsageError
from stress.model.run import End, RunFacts

if TYPE_CHECKING:
    from stress.planning import Request

_SECOND = 1_000_000_000
_STILL_S = 5.0
"""A run commits several times a second."""


def refuse_other_words(request: Request) -> None:
    """A run that is taken up has its plan already.

    Raises:
        UsageError: the words ask for something else, too.
    """
    from stress.planning import Request  # noqa: PLC0415 - heavy

    if request != Request():
        raise UsageError(
            "--continue takes the target and the plan of the run",
            "Leave everything else out but --name, --results and the options of output.",
        )


def take_up(run: str, place: Place, output: Output) -> Path:
    """Does what an interrupted run left undone; gives the file that holds both parts.

    Raises:
        UsageError: there is no such run, nothing of it is left, or the file cannot be made.
        RecordError: the end could not be written; what was committed is in the file.
    """
    from stress.engine import coordinator  # noqa: PLC0415 - heavy
    from stress.engine.versions import versions  # noqa: PLC0415 - heavy
    from stress.planning.resume import remainder, with_anchors  # noqa: PLC0415 - heavy
    from stress.store import RunWriter, locate, open_run  # noqa: PLC0415 - heavy
    from stress.store.resume import copy_run, extent  # noqa: PLC0415 - heavy

    source = locate(run, place.folder)
    with open_run(source) as before:
        facts, addresses = before.facts(), before.addresses()
        _refuse_if_alive(source, facts)
        facts, reached = replace(facts, plan=with_anchors(facts.plan)), extent(before)
        plan = remainder(facts, addresses, last_ns=reached.last_ns)
        programs = versions(plan)
        path = _reserved(plan, Place(place.folder, place.name or facts.name))
        gap, stood_ns = _gap(facts, reached.last_ns), facts.stood_ns + time_ns() - reached.last_ns
        writer = RunWriter.create(
            path,
            facts.plan,
            started_ns=facts.started_ns,
            versions=programs,
            host=_whence(addresses),
            stood_ns=stood_ns,
            before=facts.started,
        )
        try:
            copy_run(before, writer)
            writer.commit(0)
        except BaseException:
            writer.close()
            path.unlink()
            raise
    console.say(gap)
    watching = output.watching(plan)
    try:
        ending = coordinator.run(
            plan,
            writer,
            watch=watching,
            resolve=_again(plan),
            first_id=reached.next_id,
            still=watching.pausing,
        )
        reasons = (*facts.reasons, gap, *ending.reasons)
        writer.finish(replace(ending, stood_ns=stood_ns + ending.stood_ns, reasons=reasons))
    finally:
        watching.close()
        writer.close()
    console.say(f"run file: {path}")
    return path


def _refuse_if_alive(path: Path, facts: RunFacts) -> None:
    """A run without an end mark may be one that goes on: its file is written to all the time.

    Raises:
        UsageError: it does.
    """
    log = path.with_name(f"{path.name}-wal")
    written = max(each.stat().st_mtime for each in (path, log) if each.exists())
    if facts.end is End.UNFINISHED and time() - written < _STILL_S:
        raise UsageError(
            f"the run {facts.name} seems to go on: its file was written to a moment ago",
            f"Stop it first, or wait {_STILL_S:.0f} s after it has died.",
        )


def _gap(facts: RunFacts, last_ns: int) -> str:
    """What lies between both parts, as a sentence."""
    stopped, now = (datetime.fromtimestamp(ns / _SECOND, UTC) for ns in (last_ns, time_ns()))
    lost = facts.started - facts.recorded
    without = f"; {lost:,} attempts of the first part left no row" if lost else ""
    return (
        f"taken up again after {(now - stopped).total_seconds():,.0f} s in which nothing was asked"
        f" ({stopped:%Y-%m-%dT%H:%M:%SZ} to {now:%H:%M:%SZ}){without}"
    )
