"""Notices when a target begins to refuse everything: going on would only hurt it, or us.

"Everything" is a share of what ended lately, and "begins" means that it was different before: a
target that never worked is the user's question, not a reason to stop.
"""

from __future__ import annotations

from collections import deque

from stress.model.run import Progress

WINDOW_S = 5.0
ENOUGH = 50
"""Attempts that must have ended in the window before anything is said."""
NEARLY_ALL = 0.98
HEALTHY = 0.5
"""A share of failures below this, at any time before, shows that the target once worked."""


class CircuitBreaker:
    """Watches the failing share of the last seconds."""

    def __init__(self) -> None:
        self._past: deque[Progress] = deque()
        self._has_worked = False

    def begin(self) -> None:
        """Another load begins: what the last one met says nothing of it."""
        self._past.clear()

    def judge(self, progress: Progress) -> str | None:
        """The reason to stop, or None."""
        self._past.append(progress)
        while progress.elapsed_s - self._past[0].elapsed_s > WINDOW_S:
            self._past.popleft()
        before = self._past[0]
        ended = progress.ended - before.ended
        failed = progress.failed - before.failed
        if ended < ENOUGH:
            return None
        if failed < HEALTHY * ended:
            self._has_worked = True
        if not self._has_worked or failed < NEARLY_ALL * ended:
            return None
        return (
            f"stopped: the target began to refuse everything ({failed:,} of the last {ended:,}"
            f" attempts, {progress.elapsed_s:.0f} s after the start)"
        )
