"""`tls-stress runs`: the runs of a results directory."""

from __future__ import annotations

from typing import Annotated

from stress.cli import console
from stress.cli.options import option_of
from stress.cli.output import Results
from stress.errors import ExitCode
from stress.runner.run import RESULTS
from stress.runner.runs import ListedRun
from stress.text.datetimes import instant
from stress.text.escape import escape
from stress.text.numbers import of
from stress.text.units import show_size

Json = Annotated[bool, option_of("json", "Print the list as one JSON document.")]


def runs(*, json: Json = False, results: Results = None) -> int:
    """List the recorded runs.

    The latest first: name, start, what was tested, failures, verdict and size. `report NAME` prints
    one of them again.

    Examples:
        tls-stress runs
        tls-stress runs --results /srv/tls/results --json
    """
    from stress.report.document import json_document
    from stress.runner.runs import list_runs

    folder = results or RESULTS
    with console.busy(f"reading {folder}", silent=json):
        found = list_runs(folder)
    if json:
        document = {"schema": "tls-stress/runs/1", "folder": str(folder), "runs": found}
        console.print_data(json_document(document))
    elif found:
        console.print_titles({escape(run.name, longest=60): _line(run) for run in found})
    else:
        console.print_message(f"there is no run in {folder} yet")
    return ExitCode.CLEAN


def _line(run: ListedRun) -> str:
    if run.error:
        return f"not readable: {escape(run.error)}"
    started = instant(run.started_ns // 1_000_000_000)
    failed = of(run.failures, run.attempts)
    target = escape(run.target, longest=100)
    return f"{run.verdict}: {failed} failed, {target}, {started}, {show_size(run.size)}"
