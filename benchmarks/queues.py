"""A simulated target with a queue, or with bursts that follow nothing, under rates that vary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np

from benchmarks.worlds import GOOD
from stress.analysis.verdict import NANOSECONDS
from stress.model.plan import Load, Segment
from stress.model.run import Cube
from stress.planning.load import rate_blocks

Fails = Callable[[float], bool]
"""Whether the attempt at this second fails; call it in order."""


def queue(per_s: float, patience_s: float) -> Fails:
    """First come, first served; who waits too long has left, but his turn is worked off."""
    free_s = 0.0

    def fails(now_s: float) -> bool:
        nonlocal free_s
        free_s = max(now_s, free_s) + 1.0 / per_s
        return free_s - now_s > patience_s

    return fails


def bursts(random: np.random.Generator, length_s: float, seconds: float) -> Fails:
    """Failures in stretches of random length, about a third of the time, at whatever rate."""
    failing = np.zeros(int(seconds) + 1)
    begin = random.exponential(2.0 * length_s)
    while begin < seconds:
        end = begin + random.exponential(length_s)
        failing[int(begin) : int(end) + 1] = random.uniform(0.2, 1.0)
        begin = end + random.exponential(2.0 * length_s)
    return lambda now_s: bool(random.random() < failing[int(now_s)])


def steady(random: np.random.Generator, share: float, from_s: float = 0.0) -> Fails:
    """The same share of all attempts, from some second on."""
    return lambda now_s: bool(now_s >= from_s and random.random() < share)


def offer(load: Load, fails: Fails, random: np.random.Generator) -> Cube:
    """Attempts at random moments of each segment, counted as a run counts them."""
    counts: Counter[tuple[int, int, bool]] = Counter()
    begin_s = 0.0
    for number, one in enumerate(load.segments):
        due = random.uniform(begin_s, begin_s + one.seconds, random.poisson(one.rate * one.seconds))
        counts.update((int(now_s), number, fails(now_s)) for now_s in np.sort(due).tolist())
        begin_s += one.seconds
    cells = [
        GOOD._replace(
            block=block,
            segment=segment,
            outcome="timeout-handshake" if failed else GOOD.outcome,
            count=count,
        )
        for (block, segment, failed), count in counts.items()
    ]
    return Cube(NANOSECONDS, cells)


def varied(rate: float, seconds: float, seed: int) -> Load:
    """What `--rate-blocks` offers."""
    return Load(rate=rate, segments=rate_blocks(rate, seconds, seed))


def ramp(rate: float, seconds: float) -> Load:
    """Forty rising rates, each once."""
    steps = np.linspace(0.25, 1.25, 40) * rate
    return Load(segments=tuple(Segment(float(step), seconds / 40) for step in steps))
