"""Reads single keys from the terminal during a run, and restores the terminal afterwards."""

from __future__ import annotations

import os
import select
import sys
from contextlib import suppress
from typing import Any


class Keyboard:
    """Reads what was typed, without waiting; reads nothing where stdin is not a terminal.

    A background job must not read from the terminal (the kernel would stop it), so keys are read
    only while the job is in the foreground. Ctrl-C stays a signal.

    Args:
        descriptor: of a terminal; None: standard input, where it is one.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        if descriptor is None:
            with suppress(OSError, ValueError, AttributeError):
                descriptor = sys.stdin.fileno() if sys.stdin.isatty() else None
        self._descriptor = -1 if descriptor is None else descriptor
        self._before: list[Any] | None = None
        if not self._in_foreground():
            return
        try:
            import termios  # noqa: PLC0415 - not on every system
            import tty  # noqa: PLC0415 - the same
        except ImportError:
            return
        with suppress(OSError, termios.error):
            before = termios.tcgetattr(self._descriptor)
            tty.setcbreak(self._descriptor, termios.TCSANOW)  # keys at once, without echo
            self._before = before

    @property
    def available(self) -> bool:
        """Whether keys can be read."""
        return self._before is not None

    def __call__(self) -> str:
        """The keys pressed since the last call; usually none."""
        if self.available and self._in_foreground():
            with suppress(OSError, ValueError):
                if select.select([self._descriptor], [], [], 0)[0]:
                    return os.read(self._descriptor, 256).decode("ascii", "replace")
        return ""

    def close(self) -> None:
        """Restore the terminal."""
        if self._before is None:
            return
        import termios  # noqa: PLC0415 - not on every system

        with suppress(OSError, termios.error):
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)
        self._before = None

    def _in_foreground(self) -> bool:
        """Whether this process, not another job of the shell, owns the terminal."""
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:
            return False
