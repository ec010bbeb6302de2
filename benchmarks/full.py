"""Something refuses connections: a limit of our load, a limit that others reach, or a restart.

All offer 50 handshakes a second for 20 seconds to one address, and only when attempts fail tells
the worlds apart. Counted is whether the first of the likely causes is one that is so.

    python -m benchmarks.simulate [--trials 200] full
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush

import numpy as np

from benchmarks.adversarial import attempt
from benchmarks.structures import Counted
from benchmarks.worlds import FACTS, GOOD, Generator
from stress.analysis.verdict import NANOSECONDS
from stress.model.outcome import Stage
from stress.model.plan import Load
from stress.model.record import Record
from stress.model.run import Cube

ATTEMPTS, PER_S = 1_000, 50.0
Refused = Sequence[bool]
LIMITER, OTHERS = {"rate-limiter", "locked-out"}, {"connection-limit", "draining"}


def others(
    random: Generator, times: Sequence[float], each_s: float, held: Sequence[int]
) -> Refused:
    """Room for 31 connections, of which other users hold so many, as many others each so often."""
    refused, wanted, change = [], 0, -random.random() * each_s
    own: list[float] = []
    for time in times:
        while change <= time:
            wanted, change = int(random.choice(held)), change + each_s
        while own and own[0] <= time:
            heappop(own)
        refused.append(wanted + len(own) >= 31)
        if not refused[-1]:
            heappush(own, time + random.uniform(0.005, 0.02))
    return refused


def episodes(random: Generator, times: Sequence[float], lasts_s: float, quiet_s: float) -> Refused:
    """Everything is refused for a while, again and again; not in the last second."""
    refused, full, change = [], False, random.uniform(2.0, 1.5 * quiet_s)
    for time in times:
        while change <= time:
            full = not full
            change += random.exponential(lasts_s if full else quiet_s) + 0.3
        refused.append(full and time < times[-1] - 1.0)
    return refused


def restart(random: Generator, times: Sequence[float]) -> Refused:
    """Once, for a second or two."""
    begin, length = random.uniform(0.1, 0.8) * times[-1], random.uniform(0.5, 3.0)
    return [begin <= time < begin + length for time in times]


def bucket(times: Sequence[float], per_s: float, size: float) -> Refused:
    """A token bucket: nginx `limit_req`, `nft limit rate`, most clouds."""
    refused, tokens, last = [], size, 0.0
    for time in times:
        tokens, last = min(size, tokens + (time - last) * per_s), time
        refused.append(tokens < 1.0)
        tokens -= not refused[-1]
    return refused


def window(random: Generator, times: Sequence[float], most: int, width_s: float) -> Refused:
    """So many in each window of the clock."""
    begin = -random.random() * width_s
    seen = Counter[int]()
    refused = []
    for time in times:
        number = int((time - begin) // width_s)
        seen[number] += 1
        refused.append(seen[number] > most)
    return refused


def sliding(times: Sequence[float], most: int, width_s: float) -> Refused:
    """So many in the last seconds, refused ones included: HAProxy's `conn_rate`."""
    return [
        int(np.searchsorted(times, time, "right") - np.searchsorted(times, time - width_s)) > most
        for time in times
    ]


WORLDS: dict[str, tuple[Callable[[Generator, Sequence[float]], Refused], set[str]]] = {
    "others, a second": (lambda r, t: others(r, t, 1.0, (10, 20, 25, 29, 31, 33)), OTHERS),
    "others, three seconds": (lambda r, t: others(r, t, 3.0, (10, 20, 25, 29, 31, 33)), OTHERS),
    "others, barely": (lambda r, t: others(r, t, 0.4, (20, 25, 30)), OTHERS),
    "full for a second": (lambda r, t: episodes(r, t, 1.0, 3.0), OTHERS),
    "full for three": (lambda r, t: episodes(r, t, 3.0, 4.0), OTHERS),
    "a restart": (restart, {*OTHERS, "node-down"}),
    "bucket of 40/s": (lambda _, t: bucket(t, 40.0, 30.0), LIMITER),
    "bucket of 25/s": (lambda _, t: bucket(t, 25.0, 30.0), LIMITER),
    "bucket of 45/s": (lambda _, t: bucket(t, 45.0, 5.0), LIMITER),
    "100 in 5 s": (lambda r, t: window(r, t, 100, 5.0), LIMITER),
    "40 in the last second": (lambda _, t: sliding(t, 40, 1.0), LIMITER),
    "300 in the last 10 s": (lambda _, t: sliding(t, 300, 10.0), LIMITER),
    "100, then none": (lambda _, t: [place >= 100 for place in range(len(t))], LIMITER),
}


@dataclass(frozen=True, slots=True)
class Refusing(Counted):
    """Counts, and the attempts themselves."""

    failed: Sequence[Record] = ()
    passed: Sequence[Record] = ()

    def failures(self, limit: int) -> Iterator[Record]:
        return iter(self.failed[:limit])

    def good(self, most: int) -> Iterator[Record]:
        return iter(self.passed[:most])


def first(random: Generator, world: str) -> str:
    """The likeliest cause that is named; empty where nothing failed."""
    times = np.cumsum(random.exponential(1.0 / PER_S, ATTEMPTS)).tolist()
    refused = WORLDS[world][0](random, times)
    bad = GOOD._replace(chain=None, outcome="eof", stage=Stage.CLIENT_HELLO)
    rows = [
        attempt(number, round(time * NANOSECONDS), 0, 0)._replace(
            **({"outcome": "eof", "stage": Stage.CLIENT_HELLO} if fails else {"outcome": "ok"})
        )
        for number, (time, fails) in enumerate(zip(times, refused, strict=True))
    ]
    failed = tuple(one for one in rows if one.outcome != "ok")
    passed = tuple(one for one in rows if one.outcome == "ok")
    counts = Counter((int(time), fails) for time, fails in zip(times, refused, strict=True))
    cells = tuple(
        (bad if fails else GOOD)._replace(block=block, count=number)
        for (block, fails), number in sorted(counts.items())
    )
    plan = replace(FACTS.plan, load=Load(rate=PER_S, count=ATTEMPTS))
    run = Refusing(
        replace(FACTS, plan=plan), Cube(NANOSECONDS, cells), failed=failed, passed=passed
    )
    claims = run.explained()
    found = [one.likely for one in claims.failing if one.failures] or [claims.unexplained.likely]
    return found[0][0].id if failed else ""


def full(trials: int) -> Iterator[str]:
    """Which of the two is blamed: a limit of our load, or what others do."""
    for number, (name, (_, right)) in enumerate(WORLDS.items()):
        random = np.random.default_rng([87, number])
        told = Counter(first(random, name) for _ in range(trials))
        runs = max(1, trials - told.pop("", 0))
        limiter = sum(told[one] for one in LIMITER) / runs
        found = sum(told[one] for one in right) / runs
        blamed = f"limiter blamed {limiter:.3f}  " if right.isdisjoint(LIMITER) else ""
        yield f"full       {name:<22} {blamed}right {found:.3f}"
