"""What the canaries of all workers say together: how much of what we see is our own stalling.

A canary is a handshake with a known-good server on this machine (see `stress.engine.canary`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SLOW_NS = 100_000_000
"""A handshake over loopback that took longer waited for us."""
FEWEST = 3
SHARE = 0.02
"""Fewer bad ones than this say nothing: a moment is not the run."""


@dataclass(slots=True)
class Canaries:
    """What became of all of them, in the parent."""

    good: int = 0
    slow: int = 0
    """Good, but above what loopback takes."""
    failed: int = 0
    slowest_ns: int = 0

    def take(self, totals_ns: Sequence[int | None]) -> None:
        """Count some; None: it failed."""
        for total_ns in totals_ns:
            if total_ns is None:
                self.failed += 1
            else:
                self.good += 1
                self.slow += total_ns > SLOW_NS
                self.slowest_ns = max(self.slowest_ns, total_ns)

    def doubt(self) -> str | None:
        """What they say against us; None: nothing.

        Where none at all is good, this client cannot talk to the canary, and nothing is known.
        """
        asked, bad = self.good + self.failed, self.slow + self.failed
        if not self.good or bad < FEWEST or bad < SHARE * asked:
            return None
        return (
            f"stalls of our own: of {asked:,} handshakes with a healthy server on this machine,"
            f" {self.failed:,} failed and {self.slow:,} took over {SLOW_NS // 1_000_000} ms"
            f" (up to {self.slowest_ns / 1e9:.1f} s); as much of the target's figures is ours"
        )
