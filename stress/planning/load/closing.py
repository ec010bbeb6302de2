"""Who keeps the port: the choice between closing politely (FIN) and at once (RST).

Whoever closes first keeps the pair of addresses and ports for 60 seconds (TIME_WAIT, RFC 9293
section 3.6.1; Linux fixes it at 60). So closing by FIN spends a local port a minute for each
handshake, per local address and destination. `auto` closes by FIN while what is spent in a minute
stays below half of the ports: the other half is left to other programs, to chance (the kernel
finds the last free ports slowly) and to the run just before this one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from stress.model.plan import Close, Load
from stress.planning.load.shapes import held_open

TIME_WAIT_S = 60


@dataclass(frozen=True, slots=True)
class Closing:
    """How connections are closed, and why."""

    close: Close
    note: str


def closing_of(asked: Close, load: Load, ports: int) -> Closing:
    """Decide how connections are closed.

    Args:
        asked: by the user; only `auto` is decided here.
        load: of the run.
        ports: local ports in all: per source and destination, times sources, times destinations.
    """
    spent = ports_spent(load)
    fits = spent is not None and spent <= ports // 2
    close = (Close.FIN if fits else Close.RST) if asked is Close.AUTO else asked
    needed = "without end" if spent is None else f"{spent:,}"
    arithmetic = f"FIN would keep {needed} of {ports:,} local ports for {TIME_WAIT_S} s"
    most = load.concurrency + held_open(load)
    if most > ports:
        arithmetic += f"; only {ports:,} of {most:,} can be open at once: local-ports"
    if close is Close.RST:
        return Closing(close, f"closes by RST, the target sees resets after success; {arithmetic}")
    if fits:
        return Closing(close, f"closes by FIN; that keeps {spent:,} of {ports:,} local ports")
    return Closing(close, f"closes by FIN as asked, though local ports may run out; {arithmetic}")


def ports_spent(load: Load) -> int | None:
    """Return how many ports the busiest minute keeps; None: nothing bounds it."""
    by_rate = None if load.rate is None else math.ceil(load.rate * TIME_WAIT_S) + load.concurrency
    bounds = [bound for bound in (load.count, by_rate) if bound is not None]
    if load.rate is not None and load.duration_s is not None:
        bounds.append(math.ceil(load.rate * load.duration_s))
    return min(bounds) if bounds else None
