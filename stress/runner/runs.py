"""Lists the runs of a folder: what each one tested, when, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stress.errors import RunFileError
from stress.runner.rejudge import AS_RECORDED


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
    from stress.store import run_files  # noqa: PLC0415 - heavy

    listed = [_listed(path) for path in run_files(folder)]
    return tuple(sorted(listed, key=lambda run: (-run.started_ns, run.name)))


def _listed(path: Path) -> ListedRun:
    from stress.analysis.tally import count  # noqa: PLC0415 - heavy
    from stress.analysis.verdict import validity, verdict  # noqa: PLC0415 - heavy
    from stress.store import open_run  # noqa: PLC0415 - heavy

    size = path.stat().st_size
    try:
        with open_run(path) as run:
            facts, counts = run.facts(), count(run.cube().cells)
            plan = facts.plan
            if plan.goals or plan.assertions or plan.find_limit:  # these need the whole analysis
                answer = AS_RECORDED.summarize(run).verdict
            else:
                answer = verdict(facts, counts, validity(facts, counts))
            return ListedRun(
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
        return ListedRun(path.stem, str(path), size, error=error.message)
