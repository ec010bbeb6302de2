"""`tls-stress runs`: the runs of a results directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from stress.cli import console
from stress.cli.options import option_of
from stress.cli.output import Results
from stress.errors import ExitCode, RunFileError
from stress.runner.judge import AS_RECORDED
from stress.runner.run import RESULTS
from stress.text.escape import escape
from stress.text.numbers import of
from stress.text.units import instant, show_size

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

    folder = results or RESULTS
    with console.busy(f"reading {folder}", silent=json):
        found = list_runs(folder)
    if json:
        document = {"schema": "tls-stress/runs/1", "folder": str(folder), "runs": found}
        console.print_data(json_document(document))
    elif found:
        lines = {}
        for run in found:
            line = f"not readable: {escape(run.error)}"
            if not run.error:
                started = instant(run.started_ns // 1_000_000_000)
                failed = of(run.failures, run.attempts)
                target = escape(run.target, longest=100)
                size = show_size(run.size)
                line = f"{run.verdict}: {failed} failed, {target}, {started}, {size}"
            lines[escape(run.name, longest=60)] = line
        console.print_titles(lines)
    else:
        console.print_message(f"there is no run in {folder} yet")
    return ExitCode.CLEAN


@dataclass(frozen=True, slots=True)
class ListedRun:
    """One run file of a folder, in short."""

    name: str
    file: str
    size: int
    """Bytes."""
    started_ns: int = 0
    """Unix time."""
    target: str = ""
    """What was tested; of records that are not ours, the files that they came from."""
    attempts: int = 0
    failures: int = 0
    verdict: str = ""
    """As the report of the run gives it; empty where the file cannot be read."""
    error: str = ""
    """Why the file cannot be read."""


def list_runs(folder: Path) -> tuple[ListedRun, ...]:
    """Return the runs of a folder, the latest first; files that cannot be read come last.

    Args:
        folder: the results directory; without runs, or missing, it has none.
    """
    from stress.analysis.tally import count
    from stress.analysis.verdict import validity, verdict
    from stress.store import open_run, run_files

    listed = []
    for path in run_files(folder):
        size = path.stat().st_size
        try:
            with open_run(path) as run:
                facts, counts = run.facts(), count(run.cube().cells)
                plan = facts.plan
                if (
                    plan.goals or plan.assertions or plan.find_limit
                ):  # these need the whole analysis
                    answer = AS_RECORDED.summarize(run).verdict
                else:
                    answer = verdict(facts, counts, validity(facts, counts))
            found = ListedRun(
                facts.name,
                str(path),
                size,
                facts.begun_ns,
                ", ".join(facts.records.files) if facts.records else str(plan.target),
                counts.attempts,
                counts.failures,
                answer.value,
            )
        except RunFileError as error:
            found = ListedRun(path.stem, str(path), size, error=error.message)
        listed.append(found)
    return tuple(sorted(listed, key=lambda run: (-run.started_ns, run.name)))
