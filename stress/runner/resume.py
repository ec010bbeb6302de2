"""Resumes an interrupted run: its records are copied to a new file, and the run continues there.

The old file stays as it is, because nothing is ever overwritten.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import time, time_ns
from typing import TYPE_CHECKING

from stress.errors import UsageError
from stress.model.plan import Plan
from stress.model.run import End, RunFacts

if TYPE_CHECKING:
    from stress.store import RunWriter

_SECOND = 1_000_000_000
_QUIET_S = 5.0
"""A running run commits several times a second."""


@dataclass(frozen=True, slots=True)
class FirstPart:
    """The interrupted run that is resumed."""

    file: Path
    facts: RunFacts
    """With the trust anchors of this machine, where the run used a system store."""
    next_id: int
    """Above the ids of all its attempts."""
    gap: str
    """How long nothing was sent between the two parts, as a sentence."""
    stood_ns: int
    """How long it was paused, the gap included."""

    def copy_to(self, writer: RunWriter) -> None:
        """Copy everything that was recorded.

        Raises:
            RunFileError: the file is damaged.
            RecordError: the new file cannot be written.
        """
        from stress.store import open_run  # noqa: PLC0415 - heavy
        from stress.store.resume import copy_run  # noqa: PLC0415 - heavy

        with open_run(self.file) as run:
            copy_run(run, writer)
        writer.commit(0)


def read_first_part(run: str, folder: Path) -> tuple[FirstPart, Plan]:
    """The interrupted run, and the plan of what is left of it.

    Args:
        run: path of its file, or its name in the folder.
        folder: the results folder.

    Raises:
        UsageError: there is no such run, it is still running, or nothing is left to do.
    """
    from stress.planning.resume import remainder, with_anchors  # noqa: PLC0415 - heavy
    from stress.store import locate, open_run  # noqa: PLC0415 - heavy
    from stress.store.resume import extent  # noqa: PLC0415 - heavy

    file = locate(run, folder)
    with open_run(file) as before:
        facts, addresses = before.facts(), before.addresses()
        # A file without an end mark that was written to a moment ago: the run is still running.
        log = file.with_name(f"{file.name}-wal")
        written = max(each.stat().st_mtime for each in (file, log) if each.exists())
        if facts.end is End.UNFINISHED and time() - written < _QUIET_S:
            raise UsageError(
                f"the run {facts.name} seems to be running: its file was written to a moment ago",
                f"Stop it first, or wait for {_QUIET_S:.0f} s if its process has died.",
            )
        facts, reached = replace(facts, plan=with_anchors(facts.plan)), extent(before)
    plan, now_ns = remainder(facts, addresses, last_ns=reached.last_ns), time_ns()
    stopped, now = (datetime.fromtimestamp(ns / _SECOND, UTC) for ns in (reached.last_ns, now_ns))
    lost = facts.started - facts.recorded
    gap = (
        f"resumed after {(now - stopped).total_seconds():,.0f} s in which nothing was sent"
        f" ({stopped:%Y-%m-%dT%H:%M:%SZ} to {now:%H:%M:%SZ})"
        + (f"; {lost:,} attempts of the first part were not recorded" if lost else "")
    )
    stood_ns = facts.stood_ns + now_ns - reached.last_ns
    return FirstPart(file, facts, reached.next_id, gap, stood_ns), plan
