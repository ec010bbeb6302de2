"""Stops a run when the target begins to refuse everything: more load would only hurt it, or us.

"Everything" is nearly all of what ended lately, and "begins" means that it was different before: a
target that never worked is what the user wants to look at, not a reason to stop.
"""

from __future__ import annotations

from collections import deque

from stress.model.run import Progress

WINDOW_S = 5.0
ENOUGH = 50
"""Attempts that must have ended in the window before it is judged."""
NEARLY_ALL = 0.98
HEALTHY = 0.5
"""A failure rate below this, at any time before, shows that the target once worked."""


class CircuitBreaker:
    """Watches the failure rate of the last few seconds."""

    def __init__(self) -> None:
        self._past: deque[Progress] = deque()
        self._has_worked = False

    def reset(self) -> None:
        """Forget the window, because another load begins."""
        self._past.clear()

    def reason_to_stop(self, progress: Progress) -> str | None:
        """Return the reason to stop, or None."""
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
