"""`tls-stress export`: the records for other tools."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from stress.cli import console
from stress.cli.output import Results
from stress.cli.report import Run
from stress.errors import ExitCode
from stress.runner.run import RESULTS

FormatOption = Annotated[
    str, typer.Option("--format", metavar="csv|jsonl|parquet|hlog", help="What to write.")
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="A file that does not exist yet. [default: stdout]"),
]

_SHOWN = 5
"""Vantages that are named."""


def export(
    run: Run = None,
    file_format: FormatOption = "csv",
    out: Out = None,
    results: Results = None,
) -> int:
    """Export the records of a run for other tools.

    csv, jsonl and parquet have one row per attempt; hlog has the latency histograms by phase, for
    HdrHistogram tools.

    Examples:
        tls-stress export nightly --format csv --out rows.csv
        tls-stress export nightly --format jsonl
    """
    from stress.store import locate, open_run
    from stress.store.export import Format, export_run
    from stress.text.escape import chosen, command, printable
    from stress.text.numbers import counted, thousands
    from stress.text.units import named

    form = named("--format", lambda text: chosen(Format, text), file_format)
    # Lines of an export on the same terminal are a sign of life themselves.
    shown = out is None and sys.stdout.isatty()
    with (
        open_run(locate(run, results or RESULTS)) as opened,
        console.busy("exporting", silent=shown),
    ):
        try:
            if form is not Format.HLOG and opened.elsewhere:
                left, whole = thousands(opened.elsewhere), thousands(opened.recorded)
                stayed = [one for one in opened.facts().vantages if one.rows]
                places = [
                    f"\n  {printable(f'{one.name}: on {one.host}: {one.rows}', 400)}"
                    for one in stayed[:_SHOWN]
                ]
                if len(stayed) > _SHOWN:
                    places.append(f"\n  and on {counted(len(stayed) - _SHOWN, 'other vantage')}")
                again = command("merge", "A.db", "B.db")
                console.print_message(
                    f"{left} of {whole} handshakes have no row here: those stayed where they were"
                    f" made;{''.join(places)}"
                    f"\n  to have them all, merge the files that have them: {again}"
                )
            export_run(opened, form, out or sys.stdout.buffer)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader, such as `head`, has finished
            console.discard(sys.stdout)
    return ExitCode.CLEAN
