"""`tls-stress export`: the records for other tools."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from stress.cli import console
from stress.cli.output import Results
from stress.cli.recording import RESULTS
from stress.cli.report import Run
from stress.errors import ExitCode


class Form(StrEnum):
    """The formats by name; `stress.store.export.Format` writes them."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"
    HLOG = "hlog"


FormOption = Annotated[
    Form, typer.Option("--format", metavar="csv|jsonl|parquet|hlog", help="What to write.")
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="A file that does not exist yet. [default: stdout]"),
]


def export(
    run: Run = None, form: FormOption = Form.CSV, out: Out = None, results: Results = None
) -> int:
    """Write the records of a run for other tools.

    csv, jsonl and parquet have a row for each attempt; hlog has the latency histograms by phase,
    for the readers of HdrHistogram.
    """
    from stress.store import locate, open_run  # noqa: PLC0415 - heavy
    from stress.store.export import Format, export_run  # noqa: PLC0415 - heavy

    with open_run(locate(run, results or RESULTS)) as opened:
        try:
            export_run(opened, Format(form.value), out or sys.stdout.buffer)
            sys.stdout.flush()
        except BrokenPipeError:  # whoever reads has seen enough
            console.deafen(sys.stdout)
    return ExitCode.CLEAN
