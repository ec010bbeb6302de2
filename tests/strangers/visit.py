"""A process that opens one stranger's file through many doors, and writes down what it did.

Started by `doors.visit` as `python -P visit.py`, with a JSON list of command lines on standard
input. An audit hook notes each connection, name lookup, program start and file opened for writing.
One line of JSON goes to standard output for each command line as soon as it has ended; whoever
started this process kills it when the next line does not come in time, since a query that never
ends cannot be interrupted from within.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

NETWORK = {"socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo"}
PROGRAMS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"}
MOVES = {"os.rename", "os.remove", "os.link", "os.symlink", "os.mkdir", "os.chmod", "os.truncate"}


def main() -> None:
    """Open every door in turn."""
    commands: list[list[str]] = json.load(sys.stdin)
    events: list[list[str]] = []

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event in NETWORK | PROGRAMS | MOVES:
            events.append([event, repr(arguments)[:200]])
        elif event == "open":
            path, mode, flags = arguments
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if writes or (isinstance(mode, str) and set(mode) & set("wax+")):
                events.append(["write", str(path)])

    sys.addaudithook(note)
    from stress.cli.main import main as answer  # noqa: PLC0415 - imported once the hook is set

    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    for words in commands:
        _forget_peak()
        events.clear()
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
        begun, code = time.process_time(), -1
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = answer(words)
        except BaseException:  # noqa: BLE001 - whatever leaves the program is what we look for
            err.write(traceback.format_exc())
        ended = {
            "code": code,
            "out": _text(out),
            "err": _text(err),
            "seconds": time.process_time() - begun,
            "megabytes": _peak(),
            "events": list(events),
        }
        told.write(json.dumps(ended) + "\n")
        told.flush()


def _forget_peak() -> None:
    with contextlib.suppress(OSError):  # then the next figure includes what came before
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> float:
    """The largest resident size since then. The parent's figure would include the parent itself."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def _text(stream: io.TextIOWrapper) -> str:
    """What was written, or its beginning."""
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue()[:20_000].decode("utf-8", "replace")


if __name__ == "__main__":
    main()
