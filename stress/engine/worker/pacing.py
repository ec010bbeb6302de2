"""When attempts are due: arithmetic only, the worker waits.

The offered rate is a curve over time, made of segments in which it is constant or changes evenly.
Its integral N(t) is the number of starts that are due by t. A *spacing* yields points in that
count, and the curve turns each count back into a time; so every spacing works with every shape.

Two spacings. `even_points` puts the k-th start at count k. `random_points` spaces starts as
independent users do, with one difference from the textbook: each stretch of about a second gets
exactly as many starts as are due, at uniformly random places. That is a Poisson process given its
count, so waiting and bunching within a second are the same, but the rate is exact: never above what
was requested.

Workers share a rate without talking. Even starts interleave: worker w takes w, w + workers, …
Random starts need no raster: each worker draws its own part, and independent parts add up.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from itertools import count
from math import sqrt
from typing import NamedTuple

from stress.model.plan import Arrivals, Load, Segment

SECOND = 1_000_000_000
_FLAT = 1e-12
_ENDLESS_S = 1e9
"""A load that a count ends."""


class Start(NamedTuple):
    """When one attempt is due."""

    offset_ns: int
    """After the beginning of the load."""
    segment: int


def even_points(worker: int, workers: int) -> Iterator[float]:
    """Yield every `workers`-th point, computed from its index: no error adds up."""
    return count(worker, workers)


def random_points(stretch: int, workers: int, seed: int) -> Iterator[float]:
    """Yield random points, exactly as many in each stretch as are due there.

    Args:
        stretch: starts of this worker in one stretch; about a second's worth.
        workers: how many workers share the count.
        seed: makes the same points again.
    """
    draw, stretch = random.Random(seed), max(1, stretch)  # noqa: S311  # a load shape, no secret
    for begin in count(0, stretch):
        places = sorted(draw.uniform(begin, begin + stretch) for _ in range(stretch))
        yield from (place * workers for place in places)


def start_times(
    segments: Iterable[Segment], points: Iterator[float], *, first: int = 0
) -> Iterator[Start]:
    """Yield the times of the points on the curve of the segments; ends with the last segment.

    Args:
        segments: of the load.
        points: in the count of all starts, ascending.
        first: number of the first segment.
    """
    begin_ns, before = 0, 0.0
    point = next(points)
    for number, segment in enumerate(segments, first):
        due = before + starts_in(segment)
        while point < due - _FLAT:
            yield Start(begin_ns + int(time_of(segment, point - before) * SECOND), number)
            point = next(points)
        before, begin_ns = due, begin_ns + int(segment.seconds * SECOND)


def starts_in(segment: Segment) -> float:
    """Return how many starts are due in a segment."""
    last = segment.rate if segment.to is None else segment.to
    return (segment.rate + last) / 2 * segment.seconds


def time_of(segment: Segment, starts: float) -> float:
    """Return the seconds into the segment at which so many starts have been due.

    Solves rate t + slope t²/2 = starts, in the form that does not cancel for small slopes.
    """
    last = segment.rate if segment.to is None else segment.to
    slope = (last - segment.rate) / segment.seconds
    root = sqrt(max(0.0, segment.rate * segment.rate + 2 * slope * starts))
    return 2 * starts / (segment.rate + root)


def shape(load: Load) -> tuple[Segment, ...]:
    """Return the segments of a load; empty for a closed loop."""
    if load.segments or load.rate is None:
        return load.segments
    return (Segment(load.rate, load.duration_s or _ENDLESS_S),)


def points_of(load: Load, worker: int, *, seed: int) -> Iterator[float]:
    """Yield the starts of one worker, as points in the count of all starts of a load."""
    workers = load.processes
    if load.arrivals is Arrivals.CONSTANT:
        return even_points(worker, workers)
    fastest = max(max(segment.rate, segment.to or 0) for segment in shape(load))
    return random_points(int(fastest / workers), workers, seed * 1_000_003 + worker)


def part_of(total: int, worker: int, workers: int) -> int:
    """Return how many of `total` this worker gets when they are dealt in turn."""
    return (total - worker + workers - 1) // workers
