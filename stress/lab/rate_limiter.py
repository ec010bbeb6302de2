"""A thing that can do only so many a second: one after the other, each for the same time."""

from __future__ import annotations

import trio


class RateLimiter:
    """Lets one through each `each_s` seconds, in order of arrival.

    Keeps a schedule instead of sleeping for each, so that its rate is exact whatever the timers
    do: who has waited too long makes the next one wait less. A rest is not made up for.
    """

    def __init__(self, each_s: float) -> None:
        self._each_s = each_s
        self._free_at_s = 0.0

    async def pass_one(self) -> None:
        """Come, wait in the queue, and then for the time that one takes."""
        self.begin()
        await self.pass_next()

    def begin(self) -> None:
        """Say that somebody has come: if nobody was before him, his time starts now."""
        self._free_at_s = max(trio.current_time(), self._free_at_s)

    async def pass_next(self) -> None:
        """Let the next through of a queue that was never empty since `begin`.

        Subtle: whoever fetches from a queue one by one wakes up late each time. Counting from the
        schedule and not from now makes up for that, else a busy machine would lower the rate.
        """
        self._free_at_s += self._each_s
        await trio.sleep_until(self._free_at_s)
