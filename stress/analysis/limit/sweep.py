"""Several searches for a limit in one run: one kind of handshake after the other.

Each kind meets the same target within minutes, asked alone, so that "how many more does it take
with ECDSA, with TLS 1.3, resumed?" has an answer. Kinds differ in the client, in whether sessions
are offered, and in what is turned up: the rate, or the number in flight.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stress.analysis.goals.goal import Goal
from stress.analysis.limit.bisection import LimitSearch
from stress.model.limit import Knob, Limit
from stress.model.plan import Plan, Segment, Sweep
from stress.model.record import Record

HIGHEST_RATE = 20_000.0
"""Handshakes a second above which a search for the limit does not go."""


class Searches:
    """Searches one after the other; a `Conductor`."""

    def __init__(self, searches: Sequence[LimitSearch]) -> None:
        self._searches = list(searches)
        self._now = 0

    def take(self, records: Sequence[Record]) -> None:
        """Count what ended in the segment that goes on."""
        self._searches[self._now].take(records)

    def sang(self, totals_ns: Sequence[int | None]) -> None:
        """How long a healthy server on this machine took meanwhile."""
        self._searches[self._now].sang(totals_ns)

    def next(self) -> Segment | None:
        """The next segment of the search that goes on, or the first of the one after it."""
        while (segment := self._searches[self._now].next()) is None:
            if self._now == len(self._searches) - 1:
                return None
            self._now += 1
        return segment

    def limits(self) -> tuple[Limit, ...]:
        """What each that has begun found so far."""
        return tuple(search.limit() for search in self._searches[: self._now + 1])


def searches(plan: Plan, goals: Sequence[Goal]) -> Searches:
    """What a plan searches for.

    Raises:
        UsageError: a goal is no bound that can be searched for.
    """
    return Searches([_search(plan, goals, asking, words) for asking, words in _kinds(plan)])


def _search(plan: Plan, goals: Sequence[Goal], asking: Segment, words: str) -> LimitSearch:
    if Sweep.CONCURRENCY in plan.sweep:
        highest = plan.load.concurrency
        return LimitSearch(
            goals, start=1, ceiling=highest, knob=Knob.CONCURRENCY, asking=asking, of=words
        )
    start = plan.load.rate or 1.0
    return LimitSearch(goals, start=start, ceiling=HIGHEST_RATE, asking=asking, of=words)


def _kinds(plan: Plan) -> Iterator[tuple[Segment, str]]:
    """What is asked one after the other, and how to call it."""
    if Sweep.CLIENTS not in plan.sweep:
        yield Segment(0.0, 0.0), ""
        return
    for index, client in enumerate(plan.clients):
        if not plan.resumption:
            yield Segment(0.0, 0.0, client=index), client.name
            continue
        yield Segment(0.0, 0.0, client=index, resumption=0.0), f"{client.name}, full"
        resumed = f"{client.name}, {plan.resumption:.0%} resumed"
        yield Segment(0.0, 0.0, client=index, resumption=plan.resumption), resumed
