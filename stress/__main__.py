"""Starts the console script, and handles signals even while the program is still being imported.

`python -m stress` is `tls-stress`. The imports take a moment, and somebody who has mistyped is
quick. Subtle: no `except KeyboardInterrupt` would do, because an interrupt in one of the import
system's own callbacks is printed and lost.
"""

import sys

# `python -m` searches the working folder first, and modules there may be a stranger's. What the
# interpreter has imported before this line (such as `functools`) only `python -P -m` protects.
if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[0]

import gc
import os
import signal
from contextlib import suppress

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_NEW_OBJECTS = 10_000
"""After so many the collector looks for garbage among them. Imports make many objects and next to
no garbage, so that Python's 700 would cost a twentieth of a small report."""


def main() -> int:
    """Runs the command line of this process; returns its exit code."""
    unhandled = (signal.SIG_DFL, signal.default_int_handler)  # else the parent wants it ignored
    ours = [number for number in _ENDING if signal.getsignal(number) in unhandled]
    for number in ours:
        signal.signal(number, _leave)
    gc.set_threshold(_NEW_OBJECTS)
    # NumPy's own threads would spin for 40 ms, in vain: we multiply no large matrices.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from stress.cli.main import main as run  # noqa: PLC0415 - what takes the moment

    for number in ours:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else _interrupt)
    code = run()
    # CPython notes an interrupt that leaves an `exec`, as of a dataclass that is being imported,
    # and ends by SIGINT although it was caught; the next `exec` makes it forget.
    exec("")  # noqa: S102 - nothing
    # At its end Python looks for garbage among all that was imported: a sixth of a short command.
    gc.freeze()
    return code


def _leave(_number: int, _frame: object) -> None:
    with suppress(OSError):  # stderr may be closed
        os.write(2, b"interrupted before anything was done\n")
    os._exit(130)  # `ExitCode.INTERRUPTED`, which may not have been imported yet


def _interrupt(_number: int, _frame: object) -> None:
    """Does as Ctrl-C does, which Trio lets through only where it can be raised safely."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main())
