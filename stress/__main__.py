"""Starts the console script, and handles Ctrl-C even while the program is still being imported.

`python -m stress` is `tls-stress`. The imports take a moment, and somebody who has mistyped is
quick. Subtle: no `except KeyboardInterrupt` would do, because an interrupt in one of the import
system's own callbacks is printed and lost.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress


def main() -> int:
    """Runs the command line of this process; returns its exit code."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # else the parent process wants it ignored
        signal.signal(signal.SIGINT, _leave)
    from stress.cli.main import main as run  # noqa: PLC0415 - what takes the moment

    signal.signal(signal.SIGINT, before)
    return run()


def _leave(_number: int, _frame: object) -> None:
    with suppress(OSError):  # stderr may be closed
        os.write(2, b"interrupted before anything was done\n")
    os._exit(130)  # `ExitCode.INTERRUPTED`, which may not have been imported yet


if __name__ == "__main__":
    sys.exit(main())
