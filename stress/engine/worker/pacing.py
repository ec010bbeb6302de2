"""When attempts are due: arithmetic only, the worker waits.

The offered rate is a curve over time, made of segments in which it is constant or changes evenly.
Its integral N(t) is the number of starts that are due by t. A *spacing* deals points in that count,
and the curve turns each count back into a time; so every spacing works with every shape.

Two spacings. `Even` puts the k-th start at count k. `Random` spaces starts as independent users do,
with one difference from the textbook: in each stretch of about a second it deals exactly as many
starts as are due, at uniformly random places. That is a Poisson process given its count, so waiting
and bunching within a second are the same, but the rate is held exactly: never above what was asked.

Workers share a rate without talking. Even starts interleave: worker w takes w, w + workers, …
Random starts need no raster: each worker deals its own part, and independent parts add up.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from math import sqrt
from typing import NamedTuple, Protocol

from stress.model.plan import Arrivals, Load, Segment

SECOND = 1_000_000_000
_FLAT = 1e-12
_ENDLESS_S = 1e9
"""A load that a count ends."""


class Start(NamedTuple):
    """One appointment."""

    offset_ns: int
    """After the beginning of the load."""
    segment: int


class Spacing(Protocol):
    """Deals the starts of one worker as points in the count of all starts."""

    def points(self) -> Iterator[float]:
        """Counts, ascending."""


class Even:
    """Every `workers`-th point of the raster, computed from its index: no error adds up."""

    def __init__(self, worker: int, workers: int) -> None:
        self._worker, self._workers = worker, workers

    def points(self) -> Iterator[float]:
        """The counts that fall to this worker, without end."""
        index = self._worker
        while True:
            yield index
            index += self._workers


class Random:
    """Random points, exactly as many in each stretch as are due there.

    Args:
        stretch: starts of this worker in one stretch; about a second's worth.
        workers: how many workers share the count.
        seed: makes the same points again.
    """

    def __init__(self, stretch: int, workers: int, seed: int) -> None:
        self._stretch, self._workers, self._seed = max(1, stretch), workers, seed

    def points(self) -> Iterator[float]:
        """Stretch by stretch, uniform within each."""
        draw = random.Random(self._seed)  # noqa: S311  # a load shape, no secret
        begin = 0
        while True:
            places = sorted(
                draw.uniform(begin, begin + self._stretch) for _ in range(self._stretch)
            )
            yield from (place * self._workers for place in places)
            begin += self._stretch


def appointments(segments: Iterable[Segment], points: Iterator[float]) -> Iterator[Start]:
    """The times of the points on the curve that the segments make; ends with the last segment."""
    begin_ns, before = 0, 0.0
    point = next(points)
    for number, segment in enumerate(segments):
        due = before + total(segment)
        while point < due - _FLAT:
            yield Start(begin_ns + int(reach(segment, point - before) * SECOND), number)
            point = next(points)
        before, begin_ns = due, begin_ns + int(segment.seconds * SECOND)


def total(segment: Segment) -> float:
    """How many starts are due in a segment."""
    last = segment.rate if segment.to is None else segment.to
    return (segment.rate + last) / 2 * segment.seconds


def reach(segment: Segment, count: float) -> float:
    """Seconds into the segment at which so many starts have been due.

    Solves rate t + slope t²/2 = count, in the form that does not cancel for small slopes.
    """
    last = segment.rate if segment.to is None else segment.to
    slope = (last - segment.rate) / segment.seconds
    root = sqrt(max(0.0, segment.rate * segment.rate + 2 * slope * count))
    return 2 * count / (segment.rate + root)


def shape(load: Load) -> tuple[Segment, ...]:
    """The segments of a load; empty for a closed loop."""
    if load.segments or load.rate is None:
        return load.segments
    return (Segment(load.rate, load.duration_s or _ENDLESS_S),)


def spacing(load: Load, *, worker: int, workers: int, seed: int) -> Spacing:
    """The spacing that a load asks for."""
    if load.arrivals is Arrivals.CONSTANT:
        return Even(worker, workers)
    fastest = max(max(segment.rate, segment.to or 0) for segment in shape(load))
    return Random(int(fastest / workers), workers, seed * 1_000_003 + worker)


def share(total: int, worker: int, workers: int) -> int:
    """How many of `total` fall to this worker when they are dealt in turn."""
    return (total - worker + workers - 1) // workers
