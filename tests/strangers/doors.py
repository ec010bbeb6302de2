"""The doors through which a stranger's file comes in, and what a visit through them may not do."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.yardstick import stretched

ROOT = Path(__file__).resolve().parents[2]
MOST_SECONDS = 10.0
MOST_MEGABYTES = 500.0
PATIENCE_S = 60
HANG = "no answer, or the process died"


@dataclass(frozen=True, slots=True)
class Visit:
    """One command line, and what became of it."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str
    seconds: float
    """CPU time, which a busy machine does not change."""
    megabytes: float
    """The largest resident size of the process during this command line."""
    events: tuple[tuple[str, str], ...]
    """Audit events: connections, lookups, programs started, files opened for writing."""

    @property
    def door(self) -> str:
        """The command, with the option that names the file where there is one."""
        if self.words[0] == "clients":
            return " ".join(self.words[:2])
        named = [word for word in ("--continue", "--profile") if word in self.words]
        return " ".join([self.words[0], *named])

    @property
    def file(self) -> str:
        """The stranger's file: the first path, of `join` and `merge` the second."""
        paths = [word for word in self.words if os.sep in word]
        return next(iter(paths[self.words[0] in {"join", "merge"} :]), "")


VISITED: list[Visit] = []
"""What the current test did; `conftest.py` puts it into the report of the tests."""


@dataclass(frozen=True, slots=True)
class Visits:
    """All command lines of one process."""

    visits: tuple[Visit, ...]

    @property
    def megabytes(self) -> float:
        """The largest resident size of the process during any of them."""
        return max((one.megabytes for one in self.visits), default=0.0)


def visit(commands: Sequence[Sequence[object]], folder: Path) -> Visits:
    """Run command lines in one process of their own, inside a folder."""
    words = json.dumps([[str(word) for word in each] for each in commands])
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(folder / "config")}
    lines: list[bytes] = []
    with subprocess.Popen(
        [sys.executable, "-P", str(Path(__file__).with_name("visit.py"))],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(words.encode())
        process.stdin.close()
        waiting = select.poll()
        waiting.register(process.stdout, select.POLLIN)
        while len(lines) < len(commands):
            ready = waiting.poll(PATIENCE_S * 1000)
            line = process.stdout.readline() if ready else b""
            if not line:
                break
            lines.append(line)
        process.kill()
    answers = [json.loads(line) for line in lines]
    ended = [
        Visit(
            tuple(map(str, command)),
            one["code"],
            one["out"],
            one["err"],
            one["seconds"],
            one["megabytes"],
            tuple((event, detail) for event, detail in one["events"]),
        )
        for command, one in zip(commands, answers, strict=False)
    ]
    if len(lines) < len(commands):
        hung = tuple(map(str, commands[len(lines)]))
        ended.append(Visit(hung, -1, "", HANG, float(PATIENCE_S), 0.0, ()))
    VISITED.extend(ended)
    return Visits(tuple(ended))


def wrongs(visits: Visits, allowed: Sequence[Path] = ()) -> list[str]:
    """What the visits did that no file may make us do; empty when all is well.

    Args:
        visits: what happened.
        allowed: folders in which a door may write, because its command line named them.
    """
    found: list[str] = []
    most_s = stretched(MOST_SECONDS)
    for one in visits.visits:
        door = " ".join(one.words[:1])
        if "Traceback" in one.err or "bug in tls-stress" in one.err:
            found.append(f"{door}: traceback: {one.err[-300:]}")
        if one.err == HANG or one.seconds > most_s:
            found.append(f"{door}: took {one.seconds:.1f} s")
        if "`$" in one.err:
            found.append(f"{door}: names no part of the file: {one.err[-300:]}")
        if "\x1b" in one.out + one.err:
            found.append(f"{door}: wrote an escape byte")
        found += [f"{door}: {wrong}" for wrong in _reached(one, allowed)]
    if visits.megabytes > MOST_MEGABYTES:
        found.append(f"took {visits.megabytes:.0f} MB")
    return found


def _reached(one: Visit, allowed: Sequence[Path]) -> Iterator[str]:
    """What was touched outside of this process and of the allowed folders."""
    for event, detail in one.events:
        if event.startswith(("socket.", "subprocess.", "os.exec", "os.system", "os.posix")):
            yield f"{event} {detail}"
        path = Path(detail)
        ours = detail.isdigit() or path.is_relative_to("/dev") or path.is_relative_to("/proc")
        if event == "write" and not ours:
            place = path.resolve()
            if not any(place.is_relative_to(folder.resolve()) for folder in allowed):
                yield f"wrote {detail}"
