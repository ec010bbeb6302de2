"""Reads records that are not ours and leaves one run file, as a run does."""

from __future__ import annotations

import platform
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import time_ns
from typing import TYPE_CHECKING

import stress
from stress.runner.run import RunLocation

if TYPE_CHECKING:
    from stress.records.reading import Choice


def isolate(
    paths: Sequence[Path],
    choice: Choice,
    location: RunLocation,
    notify: Callable[[str], None],
    assertions: Sequence[str] = (),
) -> Path:
    """Reads the files and writes the run file.

    Args:
        paths: the files, which are read as one.
        choice: which rows failed, and what the columns are.
        location: where the run file goes.
        notify: prints a message.
        assertions: what the report is judged by, as in a run.

    Raises:
        UsageError: a file, the choice, or the place of the run file is wrong.
    """
    from stress.analysis.goals.goal import parse_goals  # noqa: PLC0415 - heavy
    from stress.records.reading import read  # noqa: PLC0415 - heavy
    from stress.store import default_name  # noqa: PLC0415 - heavy
    from stress.store.records import write_records  # noqa: PLC0415 - heavy

    parse_goals(assertions)
    records = read(paths, choice)
    if not records.source.time:  # then it is known by when it was read
        records = replace(records, started_ns=time_ns(), ended_ns=time_ns())
    path = location.reserve(default_name(paths[0].stem, datetime.now(UTC)), notify)
    versions = {"tls-stress": stress.__version__, "python": platform.python_version()}
    try:
        write_records(
            path, records, assertions=assertions, versions=versions, host=socket.gethostname()
        )
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    notify(f"run file: {path}")
    return path
