"""Single keys from the terminal while a run goes on, and the terminal as it was afterwards."""

from __future__ import annotations

import os
import select
import sys
from contextlib import suppress
from typing import Any

_MOST = 256


class Keyboard:
    """Reads what was typed without waiting for it; deaf where standard input is no terminal.

    A job in the background must not touch the terminal (the kernel would stop it), so it hears
    nothing until it is in the foreground again. Ctrl-C stays a signal.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = _terminal() if descriptor is None else descriptor
        self._before: list[Any] | None = None
        if self._descriptor is not None and self._in_front():
            self._listen(self._descriptor)

    @property
    def hears(self) -> bool:
        """Whether keys can come from here."""
        return self._before is not None

    def __call__(self) -> str:
        """The keys that were pressed since the last call; mostly none."""
        if self._descriptor is None or self._before is None or not self._in_front():
            return ""
        with suppress(OSError, ValueError):
            if select.select([self._descriptor], [], [], 0)[0]:
                return os.read(self._descriptor, _MOST).decode("ascii", "replace")
        return ""

    def close(self) -> None:
        """Give the terminal back as it was."""
        if self._descriptor is None or self._before is None:
            return
        import termios  # noqa: PLC0415 - not on every system

        with suppress(OSError, termios.error):
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)
        self._before = None

    def _listen(self, descriptor: int) -> None:
        """Single keys, not shown, instead of whole lines."""
        try:
            import termios  # noqa: PLC0415 - not on every system
            import tty  # noqa: PLC0415 - the same
        except ImportError:
            return
        with suppress(OSError, termios.error):
            before = termios.tcgetattr(descriptor)
            tty.setcbreak(descriptor, termios.TCSANOW)
            self._before = before

    def _in_front(self) -> bool:
        """Whether the terminal listens to us and not to another job."""
        assert self._descriptor is not None
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:
            return False


def _terminal() -> int | None:
    """Standard input, where it is a terminal."""
    with suppress(OSError, ValueError, AttributeError):
        if sys.stdin.isatty():
            return sys.stdin.fileno()
    return None
