"""`tls-stress isolate`: the search for causes in records that are not ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stress.cli import console
from stress.cli.options import takes
from stress.cli.output import EXIT_CODES, Output
from stress.planning.request import FORMS, Request
from stress.runner.records import isolate as isolate_records
from stress.runner.run import RunLocation

Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE…",
        help="CSV, JSON lines or Parquet, one row per attempt; several are read as one, with the"
        " dimension `source`.",
        show_default=False,
    ),
]
Failed = Annotated[
    str | None,
    typer.Option(
        "--failed",
        metavar="EXPR",
        help="Which rows failed: COLUMN = VALUE, also != < <= > >= and `in A, B`; `empty` is a"
        " missing value.",
    ),
]
Time = Annotated[
    str | None,
    typer.Option(
        "--time",
        metavar="COLUMN",
        help="When each attempt was: ISO 8601, or Unix seconds, ms, us, ns. [default: a column of"
        " that name, such as time or timestamp]",
    ),
]
Dimensions = Annotated[
    list[str] | None,
    typer.Option(
        "--dimension",
        metavar="COLUMN",
        help="Search for causes in this column only; repeatable. [default: every column of few"
        " values]",
    ),
]
Count = Annotated[
    str | None,
    typer.Option("--count", metavar="COLUMN", help="How many attempts each row stands for."),
]

Latency = Annotated[
    str | None,
    typer.Option(
        "--latency",
        metavar="COLUMN[=UNIT]",
        help="How long each attempt took, in ns, us, ms or s. [default unit: by the column's name,"
        " else ms]",
    ),
]


@takes("assertions", "json", *FORMS, "quiet", "name", "results")
def isolate(
    settings: Request,
    files: Files,
    failed: Failed = None,
    time: Time = None,
    dimension: Dimensions = None,
    count: Count = None,
    latency: Latency = None,
) -> int:
    """Search for causes in any records: telemetry, logs, CSV.

    What do the failed rows have in common? Writes a run file, on which report, compare and export
    work. Nothing is sent.

    Exits as `run` does: 1 failing, 2 usage, 3 inconclusive; with --assert those alone decide.

    Examples:
        tls-stress isolate telemetry.csv --failed 'error != empty'
        tls-stress isolate access.jsonl --failed 'status >= 500' --dimension region
    """
    from stress.records.reading import Choice

    output = Output.of(settings)
    choice = Choice(failed, time, tuple(dimension or ()), count, latency)
    with output.busy("reading the records") as sign:
        notify = sign.around(console.print_message)
        path = isolate_records(files, choice, RunLocation.of(settings), notify, settings.assertions)
    return EXIT_CODES[output.show(path).verdict]
