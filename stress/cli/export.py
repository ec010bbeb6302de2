"""`tls-stress export`: the records for other tools."""

from __future__ import annotations

import sys
from pathlib import Path

from stress.cli import console
from stress.cli.options import command, option, results_option, run_argument
from stress.errors import ExitCode


@command()
@run_argument
@option(
    "--format",
    "file_format",
    metavar="csv|jsonl|parquet|hlog",
    default="csv",
    show_default=True,
    help="What to write.",
)
@option(
    "--out", metavar="FILE", type=Path, help="A file that does not exist yet. [default: stdout]"
)
@results_option
def export(run: str | None, file_format: str, out: Path | None, results: Path | None) -> int:
    """Export the records of a run for other tools.

    csv, jsonl and parquet have one row per attempt; hlog has the latency histograms by phase, for
    HdrHistogram tools.
    """
    from stress.runner.run import RESULTS
    from stress.store import locate, open_run
    from stress.store.export import Format, export_run
    from stress.text.escape import chosen
    from stress.text.units import named

    form = named("--format", lambda text: chosen(Format, text), file_format)
    with open_run(locate(run, results or RESULTS)) as opened:
        try:
            export_run(opened, form, out or sys.stdout.buffer)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader, such as `head`, has finished
            console.discard(sys.stdout)
    return ExitCode.CLEAN
