"""When a run stood still because its user wanted it to: how often, how long, and in which words."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

_SECOND = 1_000_000_000


@dataclass(slots=True)
class Pauses:
    """Follows a wish that comes and goes. All times are Unix time, in nanoseconds."""

    _since_ns: int | None = None
    _over: list[tuple[int, int]] = field(default_factory=list)

    @property
    def on(self) -> bool:
        """Whether the run stands still just now."""
        return self._since_ns is not None

    def follow(self, now_ns: int, *, wish: bool) -> bool:
        """Take the wish over; gives whether that changed anything."""
        if wish == self.on:
            return False
        if self._since_ns is None:
            self._since_ns = now_ns
        else:
            self._over.append((self._since_ns, now_ns))
            self._since_ns = None
        return True

    def total_ns(self, now_ns: int) -> int:
        """How long it stood still so far, in all."""
        going_on = 0 if self._since_ns is None else now_ns - self._since_ns
        return sum(end - begin for begin, end in self._over) + going_on

    def sentences(self) -> tuple[str, ...]:
        """Each pause that is over, for the reader of the report."""
        return tuple(
            f"paused by the user (p) from {_clock(begin)} to {_clock(end)} UTC: nothing was dialled"
            f" in these {end // _SECOND - begin // _SECOND} s"
            for begin, end in self._over
        )


def _clock(time_ns: int) -> str:
    return f"{datetime.fromtimestamp(time_ns / _SECOND, UTC):%H:%M:%S}"
