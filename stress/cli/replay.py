"""`tls-stress replay`: does a failure follow the combination or the load, or is it gone?"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated

import typer

from stress.cli import console
from stress.cli.options import option_of, takes
from stress.cli.output import Output
from stress.cli.report import Run
from stress.errors import ExitCode
from stress.planning.request import Request
from stress.runner.again import plan_replay, read_replay
from stress.runner.run import RunLocation, record

Cause = Annotated[
    str | None,
    typer.Option("--cause", metavar="N", help="Only this cause, by its number in the report."),
]
Tries = Annotated[
    str, typer.Option("--tries", metavar="N", help="How often each combination is tried.")
]
Gap = Annotated[
    str | None,
    typer.Option(
        "--gap",
        metavar="TIME",
        help="Wait before a combination is tried again. [default: 60s; 1s on this machine]",
    ),
]
Json = Annotated[bool, option_of("json", "Print the answer as one JSON document.")]


@takes(
    "cert",
    "key",
    "proxy",
    "proxy_authorization",
    "stores",
    "authorized",
    "quiet",
    "name",
    "results",
)
def replay(
    settings: Request,
    run: Run = None,
    cause: Cause = None,
    tries: Tries = "3",
    gap: Gap = None,
    *,
    json: Json = False,
) -> int:
    """Repeat the failing combinations of a run.

    Repeats the address, client, source and local port of each failure, mixed at random with as
    many that succeeded, several times each. Failures that may depend on load are repeated with the
    whole load of the run. Recorded as a run of its own.

    Exits 0 no longer failing, 1 the failure follows the combination or the load, 3 partly or too
    few to tell.

    Examples:
        tls-stress replay
        tls-stress replay nightly --cause 1 --tries 5
    """
    from stress.analysis.compare.replay import ReplayVerdict
    from stress.model.run import End
    from stress.report.comparison import replay_words
    from stress.store import locate, open_run
    from stress.text.units import duration_s, named, option, positive_count

    rounds = named("--tries", positive_count, tries)
    gap_s = option("--gap", duration_s, gap)
    number = option("--cause", positive_count, cause)
    location = RunLocation.of(settings)
    with (
        console.busy("reading the run", silent=json or settings.quiet),
        open_run(locate(run, location.folder)) as recorded,
    ):
        plan = plan_replay(recorded, settings, cause=number, tries=rounds, gap_s=gap_s)
        name = location.name or f"{recorded.facts().name}-replay"
    console.print_message(replay_words(plan))
    path = record(plan, replace(location, name=name), Output.of(settings).display())
    report, answer, end = read_replay(path)
    if settings.quiet:
        console.print_message(answer.sentence)
    if json or not settings.quiet:
        console.print_data(report.document() if json else report.text(console.width(sys.stdout)))
    if end is End.INTERRUPTED:
        return ExitCode.INTERRUPTED
    return {
        ReplayVerdict.GONE: ExitCode.CLEAN,
        ReplayVerdict.FOLLOWS: ExitCode.FAILING,
        ReplayVerdict.PARTLY: ExitCode.INCONCLUSIVE,
        ReplayVerdict.TOO_FEW: ExitCode.INCONCLUSIVE,
    }[answer.answer]
