"""Makes a run file of what others recorded: any records (`isolate`), a balancer's log (`join`)."""

from __future__ import annotations

import platform
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import time_ns
from typing import TYPE_CHECKING

import stress
from stress.errors import UsageError
from stress.model.run import End, JoinedLog, RunEnd, RunFacts
from stress.report.wording.backends import joined_sentences
from stress.runner.judge import refuse_records
from stress.runner.run import RunLocation
from stress.text.escape import command, printable
from stress.text.numbers import counted, thousands

if TYPE_CHECKING:
    from stress.records.joining import LogFormat
    from stress.records.reading import Choice
    from stress.store import RunFile

_DAY_NS, _HOUR_NS = 24 * 3600 * 10**9, 3600 * 10**9
"""How far the clocks may be apart: a time zone was forgotten, or without ports to go by."""


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
    versions = {"tls-stress": stress.__version__, "python": platform.python_version()}
    with location.created(default_name(paths[0].stem, datetime.now(UTC)), notify) as path:
        write_records(
            path, records, assertions=assertions, versions=versions, host=socket.gethostname()
        )
    return path


def join(
    file: Path,
    logs: Sequence[Path],
    location: RunLocation,
    notify: Callable[[str], None],
    *,
    form: str | None,
    nat: bool,
) -> Path:
    """Copies a run into a new file in which `backend` is filled.

    Args:
        file: the run, which stays as it is.
        logs: of the balancer, read as one.
        location: where the new file goes.
        notify: prints a message.
        form: the name of a format, or a regular expression; None: what the logs look like.
        nat: a NAT on the way changes the ports, so go by time alone.

    Raises:
        UsageError: a log cannot be read, or is none of this balancer and this run.
        RunFileError: the run file is damaged.
    """
    from stress.records.joining import chosen_format, recognised  # noqa: PLC0415 - heavy
    from stress.store import RunWriter, open_run  # noqa: PLC0415 - heavy
    from stress.store.writer import copy_run  # noqa: PLC0415 - heavy

    with open_run(file) as run:
        facts = run.facts()
        refuse_records(facts, "there is nothing to join")
        if run.elsewhere:
            raise UsageError(
                f"the run {facts.name} lacks rows of its good handshakes: they stayed where they"
                " were made",
                f"Merge the files with all rows: {command('merge', 'A.db', 'B.db')}",
            )
        if facts.end is End.UNFINISHED:
            raise UsageError(
                f"the run {facts.name} has no end mark",
                f"If it was killed, complete it first: {command('run', '--continue', facts.name)}",
            )
        log_format = chosen_format(form) if form else recognised(logs)
        backends, result = _found(run, logs, log_format, nat=nat, notify=notify)
        with location.created(f"{facts.name}-joined", notify) as path:
            writer = RunWriter(
                path,
                facts.plan,
                started_ns=facts.started_ns,
                versions=facts.versions,
                host=facts.host,
                vantages=facts.vantages,
            )
            copy_run(run, writer, backends)
            writer.finish(_ending(facts, result))
    return path


def _ending(facts: RunFacts, joined: JoinedLog) -> RunEnd:
    """The end mark of the run, and what was joined."""
    return RunEnd(
        end=facts.end,
        ended_ns=facts.ended_ns or facts.started_ns,
        started=facts.started,
        reasons=facts.reasons,
        invalid=facts.invalid,
        lag_p99_ns=facts.lag_p99_ns,
        stood_ns=facts.stood_ns,
        limits=facts.limits,
        joined=joined,
        matrix=facts.matrix,
    )


def _found(
    run: RunFile,
    logs: Sequence[Path],
    form: LogFormat,
    *,
    nat: bool,
    notify: Callable[[str], None],
) -> tuple[Mapping[int, str], JoinedLog]:
    """The backend of each attempt, by its place in the run, and how they were found."""
    import numpy as np  # noqa: PLC0415 - heavy

    from stress.records.joining import by_port, by_time, read_logs  # noqa: PLC0415 - heavy

    rows = [
        (place, one.started_ns, one.due_ns + one.total_ns, port)
        for place, one in enumerate(run.records())
        if one.connect_ns is not None and (port := one.local_port) is not None
    ]
    if not rows:
        raise UsageError(
            "no attempt of this run reached the balancer", "There is nothing to look for."
        )
    places, started_ns, ended_ns, ports = map(np.array, zip(*rows, strict=True))
    at_ns = ended_ns if form.stamp == "end" else started_ns
    apart_ns = _HOUR_NS if nat else _DAY_NS
    within = range(int(at_ns.min()) - apart_ns, int(at_ns.max()) + apart_ns)
    wanted = None if nat else frozenset(ports.tolist())
    lines = read_logs(logs, form, wanted, within)
    if lines.unknown and lines.unknown >= lines.read:
        raise UsageError(
            f"{logs[0]}: no line is in the format of {form.title}: {lines.first_unknown}",
            f"Expected: {form.example or form.pattern}",
        )
    if nat:
        found = by_time(at_ns, lines)
    else:
        lifetimes_ns = np.stack([started_ns, ended_ns])
        found = by_port(at_ns, ports.astype(np.int32), lines, lifetimes_ns)
    taken = found.backend >= 0
    joined, ambiguous = int(taken.sum()), int(found.ambiguous.sum())
    result = JoinedLog(
        files=tuple(path.name for path in logs),
        format=form.title,
        by_time=nat,
        joined=joined,
        ambiguous=ambiguous,
        unmatched=len(rows) - joined - ambiguous,
        offset_ns=found.offset_ns,
        spread_ns=found.spread_ns,
    )
    for sentence in joined_sentences(result):
        notify(sentence)
    if lines.unknown:
        notify(
            f"{counted(lines.unknown, 'line')} of {thousands(lines.read)} are in another format;"
            f" the first is {lines.first_unknown}"
        )
    pairs = zip(places[taken].tolist(), found.backend[taken].tolist(), strict=True)
    return {place: printable(lines.backends[number]) for place, number in pairs}, result
