"""Which line of a balancer's log is which attempt of a run: by port and time, or by time alone.

The two clocks differ, by milliseconds, seconds or a forgotten time zone. By how much is found
first: in the pairs of an attempt and a line with the same client port, the true pairs all have the
same difference, and the others any. So the densest stretch of differences is the offset of the
clocks, and what does not stand out is no match at all. Then each attempt takes the nearest line
within a few times the spread that was seen, or, up to a second, while it lasted: a kernel opens
connections long before a busy balancer accepts them and notes the time, and the port was taken.
Where two lines of different backends are about as near, or two attempts want one line, nothing is
taken: it is counted as ambiguous.

A NAT on the way changes the ports. Then times alone are compared: starts are random within each
second (docs/decisions/0011-arrivals.md), so the pattern of their gaps fits the log at one offset
only. What is found this way is a suggestion.

Imported late: it needs numpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stress.errors import UsageError
from stress.records.balancer_logs import LogLines
from stress.text.numbers import counted

_SECOND, _MILLISECOND = 1_000_000_000, 1_000_000
_SAMPLE = 5_000
"""Attempts from which the offset is estimated."""
_MOST_PAIRS = 5_000_000
_WIDTHS_NS = (2 * _MILLISECOND, 50 * _MILLISECOND, 2 * _SECOND)
"""Of the stretch in which the right differences lie; the widest for times in whole seconds."""
_STANDS_OUT = 3
"""How many times more pairs the right stretch of differences has than any other."""
_FEWEST = 0.05
"""Part of the attempts that must be in the log; fewer meet in some stretch by chance."""
_NEARLY_ALL = 0.8
"""Where ports come again and again, other offsets fit well, and only the right one fits all."""
_NEAR_NS = 5 * _SECOND
"""Clocks that are kept differ by less; one or two pairs are believed only then."""
_LEAST_NS = 5_000_000
"""Least tolerance; the kernel may hand over a connection late."""
_NEARER = 4
"""How many times nearer than one of another backend the nearest line must be, or usually is."""
_MOST_CLIENTS = 8
_BIN_NS = 5_000_000
_MOST_BINS = 1 << 21
"""Of the times of a run and a log; where there would be more, they are wider."""
_RIVAL = 0.9
"""Offsets at which about as many attempts fit as at the best one make that one a guess."""


@dataclass(frozen=True, slots=True)
class Joined:
    """What became of each attempt."""

    backend: NDArray[np.int32]
    """By attempt: index into `LogLines.backends`; -1: none was found."""
    ambiguous: NDArray[np.bool_]
    """By attempt: more than one line could be it."""
    offset_ns: int
    """How far the balancer's clock is ahead of ours."""
    spread_ns: int
    """Within which 95% of the joined differ from that."""


def by_port(
    at_ns: NDArray[np.int64],
    ports: NDArray[np.int32],
    lines: LogLines,
    lifetimes_ns: NDArray[np.int64] | None = None,
) -> Joined:
    """Join attempts with lines of the same client port.

    Args:
        at_ns: when each attempt started, or ended, as the log's stamp is; Unix time.
        ports: the local port of each attempt.
        lines: of the log.
        lifetimes_ns: two rows, when each attempt started and when it ended; None: not known.

    Raises:
        UsageError: no offset of the clocks explains the log.
    """
    order = _order(lines)
    port, times = lines.port[order], lines.time_ns[order]
    sample = np.unique(np.linspace(0, len(at_ns) - 1, min(len(at_ns), _SAMPLE)).astype(np.int64))
    first = np.searchsorted(port, ports[sample], "left")
    counts = np.searchsorted(port, ports[sample], "right") - first
    keep = np.cumsum(counts) <= _MOST_PAIRS
    sample, first, counts = sample[keep], first[keep], counts[keep]
    pair = _pairs(first, counts)
    differences = times[pair] - np.repeat(at_ns[sample], counts)
    mine = np.lexsort((at_ns, ports))
    gaps = np.diff(at_ns[mine])[np.diff(ports[mine]) == 0]
    # A stretch must not hold two uses of one port.
    longest = int(np.quantile(gaps, 0.05)) // 2 if len(gaps) else max(_WIDTHS_NS)
    offset_ns, fitting = _offset(differences, len(sample), longest)
    clients = np.bincount(lines.client[order][pair][fitting], minlength=len(lines.clients))
    ours = (clients * 5 >= clients.max())[lines.client[order]]
    mine = np.stack([at_ns, at_ns]) if lifetimes_ns is None else lifetimes_ns
    return _nearest(
        at_ns + offset_ns,
        mine + offset_ns,
        ports,
        times[ours],
        port[ours],
        lines.backend[order][ours],
        offset_ns,
    )


def _pairs(first: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The places of the lines of each attempt: so many, from the first of its own on."""
    begin = np.cumsum(counts) - counts
    pairs: NDArray[np.int64] = np.arange(counts.sum()) + np.repeat(first - begin, counts)
    return pairs


def _order(lines: LogLines) -> NDArray[np.int64]:
    """The places of the lines by port and time; of a line that is in two files only the first."""
    order = np.lexsort((lines.backend, lines.time_ns, lines.port))
    columns = (lines.time_ns, lines.port, lines.backend, lines.client)
    new = np.ones(len(order), bool)
    new[1:] = np.any([np.diff(column[order]) != 0 for column in columns], axis=0)
    return order[new]


def _offset(
    differences: NDArray[np.int64], sampled: int, longest: int
) -> tuple[int, NDArray[np.bool_]]:
    """The offset of the clocks, and which of the pairs have it."""
    if not len(differences):
        raise UsageError(
            "none of the run's connections is in the log: no line has one of its ports and times",
            "Is it the log of this balancer, and of that time? Behind a NAT: add --nat.",
        )
    ordered = np.sort(differences)
    most = 0
    for width in (width for width in _WIDTHS_NS if width <= longest):
        reach = np.searchsorted(ordered, ordered + width, "right") - np.arange(len(ordered))
        most = int(reach.max())
        # Of equally dense stretches the one nearest to no offset at all.
        best = min(np.flatnonzero(reach == most), key=lambda place: abs(int(ordered[place])))
        begin, middle = int(ordered[best]), int(np.median(ordered[best : best + most]))
        elsewhere = (ordered < begin - width) | (ordered > begin + width)
        rival = int(reach[elsewhere].max(initial=0))
        alone = most >= _STANDS_OUT * rival or (
            most >= _NEARLY_ALL * sampled and rival <= _RIVAL * most
        )
        enough = most >= max(_STANDS_OUT, _FEWEST * sampled)
        if alone and (enough or (sampled < _STANDS_OUT and abs(middle) < _NEAR_NS)):
            return middle, np.abs(differences - middle) <= width
    raise UsageError(
        f"the log does not fit the run: at no offset of the clocks are more than "
        f"{most} of {counted(sampled, 'attempt')} in it",
        "Is it the log of this balancer, and of that time? Behind a NAT: add --nat.",
    )


def by_time(at_ns: NDArray[np.int64], lines: LogLines) -> Joined:
    """Join attempts with the lines of the one client whose times have the run's pattern.

    Raises:
        UsageError: no client's times have it, or at more than one offset.
    """
    best: tuple[int, int, int, NDArray[np.int64]] | None = None
    begin, end = int(at_ns.min()), int(at_ns.max())
    order = _order(lines)
    counts = np.bincount(lines.client[order], minlength=len(lines.clients))
    for client in np.argsort(-counts)[: min(_MOST_CLIENTS, np.count_nonzero(counts))].tolist():
        theirs = order[lines.client[order] == client]
        times = lines.time_ns[theirs]
        first, last = min(begin, int(times.min())), max(end, int(times.max()))
        width = max(_BIN_NS, -(-(last - first) // _MOST_BINS))
        size = 2 * ((last - first) // width + 1)
        ours, log = (np.bincount((one - first) // width, minlength=size) for one in (at_ns, times))
        fits = np.fft.irfft(np.fft.rfft(log) * np.conj(np.fft.rfft(ours)), size)
        place = int(fits.argmax())
        fitting = round(float(fits[place]))
        around = np.arange(place - 2, place + 3) % size
        fits[around] = 0
        if fits.max() > _RIVAL * fitting:
            continue
        shift = place if place < size // 2 else place - size
        if best is None or fitting > best[0]:
            best = fitting, shift * width, width, theirs
    if best is None or best[0] * 2 < len(at_ns):
        raise UsageError(
            "the times of no client in the log have the pattern of the run",
            "Is it the log of this balancer, and of that time? Without a NAT: leave out --nat.",
        )
    _, offset_ns, width, theirs = best
    theirs = theirs[np.argsort(lines.time_ns[theirs], kind="stable")]
    times, backend = lines.time_ns[theirs], lines.backend[theirs]
    # Now to the millisecond: the densest one among all differences close to that.
    from_ = np.searchsorted(times, at_ns + (offset_ns - 2 * width))
    near = np.searchsorted(times, at_ns + (offset_ns + 3 * width)) - from_
    close = np.sort(times[_pairs(from_, near)] - np.repeat(at_ns, near))
    reach = np.searchsorted(close, close + _MILLISECOND, "right") - np.arange(len(close))
    densest = int(reach.argmax())
    offset_ns = int(np.median(close[densest : densest + int(reach.max())]))
    none = np.zeros(len(at_ns), np.int32)
    expected_ns = at_ns + offset_ns
    return _nearest(
        expected_ns,
        np.stack([expected_ns, expected_ns]),  # others had connections meanwhile, too
        none,
        times,
        np.zeros(len(times), np.int32),
        backend,
        offset_ns,
    )


def _nearest(
    expected_ns: NDArray[np.int64],
    lifetimes_ns: NDArray[np.int64],
    ports: NDArray[np.int32],
    times: NDArray[np.int64],
    port: NDArray[np.int32],
    backend: NDArray[np.int32],
    offset_ns: int,
) -> Joined:
    """For each attempt the nearest line of its port; lines are ordered by port and time."""
    begin = min(int(times.min()), int(expected_ns.min()))
    # Microseconds in the low bits: enough for four years.
    key = (port.astype(np.int64) << 47) | ((times - begin) // 1000)
    place = np.searchsorted(key, (ports.astype(np.int64) << 47) | ((expected_ns - begin) // 1000))
    never = np.int64(1) << 62
    far = np.full((2, len(expected_ns)), never)
    lines = np.stack([place - 1, place])
    for side, found in zip(far, lines, strict=True):
        there = (found >= 0) & (found < len(times))
        there[there] &= port[found[there]] == ports[there]
        side[there] = np.abs(times[found[there]] - expected_ns[there])
    nearest = far.argmin(axis=0)
    each = np.arange(len(expected_ns))
    distance, chosen = far[nearest, each], lines[nearest, each]
    seen = distance[distance <= _SECOND]
    spread = int(np.quantile(seen, 0.95)) if len(seen) else 0
    tolerance = min(_SECOND, max(_LEAST_NS, 4 * spread))
    stamp = times[np.clip(lines, 0, len(times) - 1)]
    begin_ns, end_ns = lifetimes_ns
    fits = (far <= tolerance) | ((far <= _SECOND) & (begin_ns <= stamp) & (stamp <= end_ns))
    # Of the two only the one that fits, else the nearer.
    nearest = np.where(fits[0] == fits[1], nearest, fits.argmax(axis=0))
    distance, chosen, matched = far[nearest, each], lines[nearest, each], fits[nearest, each]
    other, rival = far[1 - nearest, each], np.clip(lines[1 - nearest, each], 0, len(times) - 1)
    unclear = matched & fits[1 - nearest, each]
    unclear &= other <= _NEARER * np.maximum(distance, spread)
    unclear &= backend[rival] != backend[np.clip(chosen, 0, len(times) - 1)]
    # A line is one connection: of two attempts that want it, one that is far nearer gets it.
    order = np.lexsort((distance, chosen))
    contested = (np.diff(chosen[order]) == 0) & matched[order][1:]
    near = distance[order][1:] <= _NEARER * np.maximum(distance[order][:-1], spread)
    unclear[order[1:][contested]] = True
    unclear[order[:-1][contested & near]] = True
    result = np.full(len(each), -1, np.int32)
    taken = matched & ~unclear
    result[taken] = backend[chosen[taken]]
    return Joined(result, unclear, offset_ns, spread)
