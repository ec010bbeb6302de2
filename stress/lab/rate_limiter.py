"""Limits how many per second get through: one after the other, at fixed intervals."""

from __future__ import annotations

import trio


class RateLimiter:
    """Lets one through every `interval_s` seconds, in order of arrival.

    It keeps a schedule instead of sleeping for each, so that the rate is exact however late the
    timers are: the time that one waited too long is taken off the next. Idle time is not made up.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._free_at_s = 0.0

    async def wait(self) -> None:
        """Arrive, wait in the queue, then for one interval."""
        self.arrive()
        await self.wait_next()

    def arrive(self) -> None:
        """Start the schedule now if the limiter was idle."""
        self._free_at_s = max(trio.current_time(), self._free_at_s)

    async def wait_next(self) -> None:
        """Let the next through from a queue that was never empty since `arrive`.

        Subtle: a loop that takes from a queue one by one wakes up late each time. Counting from the
        schedule and not from now makes up for that; else a busy machine would lower the rate.
        """
        self._free_at_s += self._interval_s
        await trio.sleep_until(self._free_at_s)
