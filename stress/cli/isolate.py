"""`tls-stress isolate`: the search for causes in anybody's records."""

from __future__ import annotations

from pathlib import Path

import click

from stress.cli import console
from stress.cli.options import command, option, takes
from stress.planning.request import FORMS, Request


@command()
@takes("assertions", "json", *FORMS, "quiet", "name", "results")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=Path,
    metavar="FILE...",
    help="CSV, JSON lines or Parquet, one row an attempt; several are read as one, with the"
    " dimension `source`.",
)
@option(
    "--failed",
    metavar="EXPR",
    help="Which rows failed: COLUMN = VALUE, also != < <= > >= and `in A, B`; `empty` is a"
    " missing value.",
)
@option(
    "--time",
    metavar="COLUMN",
    help="When each attempt was: ISO 8601, or Unix seconds, ms, us, ns. [default: a column of"
    " that name, such as time or timestamp]",
)
@option(
    "--dimension",
    multiple=True,
    metavar="COLUMN",
    help="Search for causes in this column only; repeatable. [default: every column of few values]",
)
@option("--count", metavar="COLUMN", help="How many attempts each row stands for.")
@option(
    "--latency",
    metavar="COLUMN[=UNIT]",
    help="How long each attempt took, in ns, us, ms or s. [default unit: by the column's name,"
    " else ms]",
)
def isolate(
    settings: Request,
    files: tuple[Path, ...],
    failed: str | None,
    time: str | None,
    dimension: tuple[str, ...],
    count: str | None,
    latency: str | None,
) -> int:
    """Search for causes in anybody's records.

    An app's telemetry, an access log, or another tool's output: what do the failed rows have in
    common? Writes a run file, on which report, compare and export work. Nothing is sent.

    Exits as `run` does: 1 failing, 2 usage, 3 inconclusive; with --assert those alone decide.
    """
    from stress.cli.output import EXIT_CODES, Output
    from stress.records import Choice
    from stress.runner.isolate import isolate as isolate_records
    from stress.runner.run import RunLocation

    output = Output.of(settings)
    choice = Choice(failed, time, dimension, count, latency)
    path = isolate_records(
        files, choice, RunLocation.of(settings), console.print_message, settings.assertions
    )
    return EXIT_CODES[output.show(path).verdict]
