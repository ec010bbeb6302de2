"""`tls-stress replay`: does the failure follow the combination, or is it gone?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stress.cli import console
from stress.cli.output import Name, Quiet, Results, output_of
from stress.cli.recording import RESULTS, Place, record
from stress.cli.report import Run
from stress.errors import ExitCode
from stress.model.run import End
from stress.text import numbers

if TYPE_CHECKING:
    from stress.model.plan import Plan
    from stress.store import RunFile

Cause = Annotated[
    str | None,
    typer.Option("--cause", metavar="N", help="Only this cause, by its number in the report."),
]
Tries = Annotated[str, typer.Option(metavar="N", help="How often each combination is tried.")]
Gap = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Wait before a combination is tried again. [default: 60s; 1s on this machine]",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the answer as one JSON document.")]


def replay(
    run: Run = None,
    cause: Cause = None,
    tries: Tries = "3",
    gap: Gap = None,
    *,
    json: Json = False,
    quiet: Quiet = False,
    name: Name = None,
    results: Results = None,
) -> int:
    """Run the failing combinations again.

    The same address, client, source and local port as each failure had, mixed at random with as
    many that were good, several times each. Recorded as a run of its own.

    Exits 0 no longer there, 1 the failure follows the combination, 3 partly or too few to tell.
    """
    from stress.store import locate, open_run  # noqa: PLC0415 - heavy
    from stress.text.units import duration_s, named, option, positive_count  # noqa: PLC0415

    rounds = named("--tries", positive_count, tries)
    wait_s = option("--gap", duration_s, gap)
    number = option("--cause", positive_count, cause)
    folder = results or RESULTS
    with open_run(locate(run, folder)) as recorded:
        plan = _plan(recorded, number, rounds, wait_s)
        kept_as = name or f"{recorded.facts().name}-replay"
    output = output_of(json=json, quiet=quiet)
    path = record(plan, Place(folder, kept_as), output)
    return _tell(path, json=json, quiet=quiet)


def _plan(recorded: RunFile, cause: int | None, rounds: int, wait_s: float | None) -> Plan:
    """What to do.

    Raises:
        UsageError: there is nothing to replay.
    """
    from stress.analysis.compare.replayed import replay_of  # noqa: PLC0415 - heavy
    from stress.planning.resume import gap_s, replay_plan  # noqa: PLC0415 - heavy
    from stress.report.summary import summarize  # noqa: PLC0415 - heavy

    addresses = recorded.addresses()
    wanted = replay_of(
        recorded,
        summarize(recorded),
        gap_s=gap_s(addresses) if wait_s is None else wait_s,
        cause=cause,
        tries=rounds,
    )
    console.say(
        f"{numbers.counted(wanted.round_size, 'combination')}, {numbers.counted(rounds, 'round')},"
        f" {wanted.gap_s:g} s between the rounds"
    )
    return replay_plan(recorded.facts().plan, addresses, wanted)


def _tell(path: Path, *, json: bool, quiet: bool) -> int:
    """Reads the replay's own run file and prints what it says."""
    from stress.analysis.compare.replay import ReplayVerdict  # noqa: PLC0415 - heavy
    from stress.analysis.compare.replayed import conclude, failing_first, replayed  # noqa: PLC0415 - heavy
    from stress.report.replay import ReplayReport  # noqa: PLC0415 - heavy
    from stress.store import open_run  # noqa: PLC0415 - heavy

    with open_run(path) as again:
        facts, records = again.facts(), tuple(again.records())
        wanted = facts.plan.replay
        assert wanted is not None
        answer = conclude(wanted, records)
        found = failing_first(replayed(wanted, records))
        told = ReplayReport(facts, again.addresses(), found, answer)
    if quiet:
        console.say(answer.sentence)
    if json or not quiet:
        console.put(told.document() if json else told.text())
    if facts.end is End.INTERRUPTED:
        return ExitCode.INTERRUPTED
    return {
        ReplayVerdict.GONE: ExitCode.CLEAN,
        ReplayVerdict.FOLLOWS: ExitCode.FAILING,
        ReplayVerdict.PARTLY: ExitCode.INCONCLUSIVE,
        ReplayVerdict.TOO_FEW: ExitCode.INCONCLUSIVE,
    }[answer.answer]
