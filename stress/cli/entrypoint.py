"""What the console script starts: it answers Ctrl-C even while the program is still being read.

That takes a moment, and somebody who has mistyped is quick. Subtle: no `except KeyboardInterrupt`
would do, because an interrupt in one of the import system's own callbacks is printed and lost.
"""

import os
import signal
from contextlib import suppress

_LAST_WORDS = b"interrupted before anything was done\n"
_INTERRUPTED = 130
"""`ExitCode.INTERRUPTED`, which has not been read yet."""


def main() -> int:
    """Runs the command line that the process was started with; gives its exit code."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # else whoever started us wants it ignored
        signal.signal(signal.SIGINT, _leave)
    from stress.cli.main import main as answer  # noqa: PLC0415 - what takes the moment

    signal.signal(signal.SIGINT, before)
    return answer()


def _leave(_number: int, _frame: object) -> None:
    with suppress(OSError):  # nobody may listen
        os.write(2, _LAST_WORDS)
    os._exit(_INTERRUPTED)
