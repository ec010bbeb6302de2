"""What is slower while nothing fails: a place, a stretch of time, or moments in which all wait.

A good handshake is *slow* when it took clearly longer than the usual one. Which slow ones belong
together is searched with the same search that finds the causes of failures, with the same tests;
what it finds is only claimed where the median or the 90th percentile is surely shifted, by a factor
and a time that matter. The search is made twice: beside the median handshake, and beside the
fastest ones, for the case that most are slow.

A server with one event loop that blocks it makes everybody wait who came in the meantime, and then
answers all at once. So the slow handshakes of a *stall* began at different moments, ended together,
and no later one overtook them.

Where more is offered than the target answers, the rest waits: handshakes then end at a steady pace
below the offered rate for as long as others wait. That pace is the *ceiling* of the target, or of a
limiter in front of it, and being slower is only its effect.

A duration is what the kernel saw: until TCP was connected, and until each answer arrived. So our
own lag is not in it; where we lag as much as the target is slow, nothing is said all the same.

Of records that are not ours the same is told, where a column says how long each attempt took. There
is no lag of ours to take into account, and which of them waited together is not known.

Imported late: it needs numpy and scipy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from math import sqrt

import numpy as np

from stress.analysis.causes.classes import FailureClass
from stress.analysis.causes.cohorts import Mask
from stress.analysis.causes.isolation import Grade, Slice, isolate
from stress.analysis.causes.screening import tabulate_records
from stress.analysis.causes.table import Table
from stress.analysis.proportions.binomial import Floats, Integers, clopper_pearson
from stress.analysis.recording import Recording, timed_table
from stress.model.attributes import Dimension
from stress.model.claims import Basis, Ceiling, Claim, FailureCount, Stalls
from stress.model.outcome import OK
from stress.model.record import Flag, Record, RecordTable
from stress.model.summary import Condition, LatencyShift

FACTOR, FLOOR_MS = 1.5, 20.0
"""A shift matters from both of these on."""
FEWEST = 40
"""Measured handshakes; with fewer nothing is claimed."""
FEWEST_SLOW = 8
BASES = (0.5, 0.05)
"""Quantiles beside which a handshake is called slow."""
SURE = 0.001
PERCENTILES = (50.0, 90.0)
FEWEST_INSIDE, FEWEST_MOMENTS = 10, 3
OWN_PART, GREW = 0.1, 1.5
"""In a stretch of time in which our own lag is more than this part of the shift, or grew by this
factor, the machine was busy."""
FEWEST_STALLS, FEWEST_WAITED = 5, 15
TOGETHER_MS = 10.0
"""Handshakes of one stall end within this, or within the usual duration if that is longer."""
OVERTAKEN = 0.25
"""Of those that came during a stall, this part may be done before it ends."""
EXPLAINED, MOST_SLOW = 0.6, 0.5
"""Stalls must hold this part of the slow handshakes, and these are not nearly all handshakes."""
FEWEST_BUSY = 5
"""Whole seconds in which others waited from beginning to end."""
FEWEST_WAITING = 10
BELOW = 0.9
"""Of the offered rate: a ceiling is surely below this part …"""
STEADY, STEADY_PART = 0.25, 0.5
"""… and differs by no more than this part in so many of the seconds."""
CONCENTRATED = 0.8
"""Of the slow handshakes: an address that holds this part of them is the only slow one."""
QUIET, QUIET_TAIL = 0.25, 0.6
"""Median and 95th percentile of our own lag, as parts of a stall, up to which it is not ours."""


def slowness(recording: Recording) -> Iterator[Claim]:
    """Everything that is slower, the stalls first; without experiments and root causes."""
    rows = [one for one in recording.good if not one.flags & Flag.WARM_UP]
    if len(rows) < FEWEST:
        return
    timed = _Timed(recording, rows)
    if float(np.ptp(timed.took_ms)) < FLOOR_MS:
        return
    whole = [*timed.ceilings()] or [*filter(None, (timed.stalls(),))]
    if whole:
        yield from whole
        return
    for base in BASES:
        found = list(timed.slower(base))
        if found:
            yield from found
            return


class _Timed:
    """Measured handshakes as arrays, in the order in which they began."""

    def __init__(self, recording: Recording, rows: Sequence[Record]) -> None:
        self.rows = sorted(rows, key=lambda one: (one.started_ns, one.id))
        self.recording = recording

        def column(values: Iterator[int | None]) -> Floats:
            return np.fromiter((value or 0 for value in values), np.float64) / 1e6

        self.lag_ms = column(one.lag_ns for one in self.rows)
        self.took_ms = column((o.connect_ns or 0) + (o.server_ns or 0) for o in self.rows)
        self.began_ms = column(one.started_ns - recording.facts.started_ns for one in self.rows)

    @cached_property
    def table(self) -> Table:
        """The rows as the search for causes reads them."""
        return timed_table(self.recording, self.rows)

    def slow(self, base: float) -> tuple[Mask, float]:
        """Which handshakes took clearly longer than this quantile of them, and than how long."""
        usual = float(np.quantile(self.took_ms, base))
        limit = max(FACTOR * usual, usual + FLOOR_MS)
        return self.took_ms > limit, limit

    def slower(self, base: float) -> Iterator[Claim]:
        """The places and stretches of time that hold the slow handshakes."""
        slow, _ = self.slow(base)
        if not FEWEST_SLOW <= slow.sum() < len(slow):
            return
        table = self.table
        odd = tuple(one for one, is_slow in zip(self.rows, slow, strict=True) if is_slow)
        # A search for the limit, or random rates, make nobody slow by themselves.
        recording = replace(self.recording, table=table, failing=odd, by_load=False)
        everything = np.ones(len(table), dtype=np.bool_)
        isolation = isolate(
            recording, FailureClass(OK.name, None, slow.astype(np.int64), everything)
        )
        for locus in isolation.slices:
            timed = Dimension.TIME in {one.dimension for one in locus.conditions}
            claim = slower_there(locus, table, locus.rows, self.took_ms, np.ones(len(slow)))
            if claim is None or claim.shift is None:
                continue
            shift = claim.shift
            if timed and self.busy(locus.rows, (shift.there_us - shift.elsewhere_us) / 1e3):
                continue
            yield claim

    def busy(self, inside: Mask, shift_ms: float) -> bool:
        """Whether a slower time may be one in which this machine was busy, and all on it slower."""
        there, elsewhere = (np.quantile(self.lag_ms[one], 0.9) for one in (inside, ~inside))
        return bool(there > OWN_PART * shift_ms or there > GREW * max(elsewhere, 1.0))

    def ceilings(self) -> Iterator[Claim]:
        """How many a second are answered where more are offered, and the rest waits."""
        load, farm = self.recording.facts.plan.load, self.recording.addresses
        if load.rate is None or len(load.segments) > 1 or self.recording.facts.limits:
            return
        addresses = np.asarray([one.address for one in self.rows])
        everywhere = np.ones(len(addresses), dtype=np.bool_)
        # Where one of several addresses holds nearly all that wait, it alone is behind.
        slow, _ = self.slow(BASES[0])
        each = np.unique(addresses)
        behind = [each[np.argmax([slow[addresses == one].sum() for one in each])]]
        alone = len(each) > 1 and slow[addresses == behind[0]].sum() >= CONCENTRATED * slow.sum()
        found = self.ceiling(
            addresses == behind[0] if alone else everywhere, load.rate / (len(each) if alone else 1)
        )
        if found is not None:
            where = Condition(Dimension.ADDRESS.value, str(farm[int(behind[0])]))
            yield Claim(
                basis=Basis.SLOW,
                category="ceiling",
                mechanism=None,
                failures=0,
                grade=Grade.STRONG.value,
                conditions=(where,) if alone else (),
                inside=FailureCount(
                    0, int((addresses == behind[0]).sum()) if alone else len(self.rows)
                ),
                ceiling=found,
            )

    def ceiling(self, here: Mask, offered: float) -> Ceiling | None:
        """The pace at which these end while others wait; None: nothing holds them back."""
        began_s, ended_s = self.began_ms[here] / 1e3, (self.began_ms + self.took_ms)[here] / 1e3
        first = int(ended_s.min()) + 1
        size = int(ended_s.max()) + 2
        # Of very many attempts the rows are a sample.
        good = self.recording.table
        ok = good.outcomes.codes == good.outcomes.code(OK.name)
        # Judged again, none of them may be good.
        part = len(self.rows) / max(len(self.rows), int(good.counts[ok].sum()))
        begun, ended = (np.bincount(one.astype(int), minlength=size) for one in (began_s, ended_s))
        waiting = (np.cumsum(begun) - np.cumsum(ended)) / part
        busy = np.minimum(waiting[:-1], waiting[1:]) >= FEWEST_WAITING
        # Only while more was offered: what waits at the end may be let through in another way.
        second, last = np.arange(1, size), int(began_s.max())
        paces = np.sort(ended[1:][busy & (second >= first) & (second < last)] / part)
        if len(paces) < FEWEST_BUSY:
            return None
        low, pace, high = _bounds(paces, 50.0, np.ones(len(paces)))
        near = np.abs(paces - pace) <= max(STEADY * pace, 2.0 * sqrt(pace))
        waited = (ended_s > first) & (self.took_ms[here] > FLOOR_MS)
        if not pace or high >= BELOW * offered or near.mean() < STEADY_PART or not waited.any():
            return None
        wait_ms, lag_ms = (
            float(np.median(one[here][waited])) for one in (self.took_ms, self.lag_ms)
        )
        if lag_ms > QUIET * wait_ms:
            return None
        return Ceiling(pace, low, high, offered, 1e3 * wait_ms)

    def stalls(self) -> Claim | None:
        """Moments in which everybody at an address waited together; None: too few, or ours."""
        slow, limit = self.slow(BASES[0])
        if not FEWEST_WAITED <= slow.sum() <= MOST_SLOW * len(slow):
            return None
        together = max(TOGETHER_MS, float(np.median(self.took_ms)))
        ends = self.began_ms + self.took_ms
        addresses = np.asarray([one.address for one in self.rows])
        lengths: list[float] = []
        waited = overtook = 0
        for address in np.unique(addresses):
            here = addresses == address
            members = np.flatnonzero(here & slow)
            members = members[np.argsort(ends[members], kind="stable")]
            cuts = np.flatnonzero(np.diff(ends[members]) > together) + 1
            for group in np.split(members, cuts):
                if len(group) < 2 or np.ptp(self.began_ms[group]) < TOGETHER_MS:
                    continue
                began, ended = self.began_ms[group], float(ends[group].max())
                # The first to come waited for the whole stall, or nearly.
                lengths.append(float(self.took_ms[group].max()))
                waited += len(group)
                came = here & (self.began_ms > began.min()) & (self.began_ms < ended - together)
                overtook += int((came & (ends < ended - together)).sum())
        typical = float(np.median(lengths)) if lengths else 0.0
        lag, tail = np.quantile(self.lag_ms, (0.5, 0.95))
        ours = lag > QUIET * typical or tail > QUIET_TAIL * typical
        enough = len(lengths) >= FEWEST_STALLS and waited >= FEWEST_WAITED
        if ours or not enough or waited < EXPLAINED * slow.sum():
            return None
        if overtook > OVERTAKEN * (waited + overtook):
            return None
        return Claim(
            basis=Basis.SLOW,
            category="stalls",
            mechanism=None,
            failures=0,
            grade=Grade.STRONG.value,
            inside=FailureCount(0, waited),
            elsewhere=FailureCount(0, len(self.rows) - waited),
            stalls=Stalls(len(lengths), 1e3 * typical, 1e3 * limit),
        )


def slower_there(
    locus: Slice, table: Table, inside: Mask, took_ms: Floats, weights: Floats
) -> Claim | None:
    """What is claimed of a place where slow attempts are; None: it is no surer or slower than that.

    Args:
        locus: the place, as rows of the table.
        table: in which it was found.
        inside: the measured attempts that are there.
        took_ms: how long each of them took.
        weights: how many attempts each of them is.
    """
    timed = Dimension.TIME in {one.dimension for one in locus.conditions}
    # Those of one moment queue behind each other, so one moment is one observation.
    moments = len(np.unique(table.blocks[locus.rows]))
    once = moments < FEWEST_MOMENTS if timed else locus.grade is Grade.ONE_EPISODE
    there, elsewhere = int(weights[inside].sum()), int(weights[~inside].sum())
    if once or locus.cohort.adjusted > SURE or there < FEWEST_INSIDE or not elsewhere:
        return None
    shift = _shift(took_ms, weights, inside, PERCENTILES[:1] if timed else PERCENTILES)
    if shift is None:
        return None
    return Claim(
        basis=Basis.SLOW,
        category="slow",
        mechanism=None,
        failures=0,
        grade=locus.grade.value,
        p_value=locus.cohort.adjusted,
        conditions=locus.conditions,
        aliases=locus.aliases,
        rivals=locus.rivals,
        inside=FailureCount(0, there),
        elsewhere=FailureCount(0, elsewhere),
        shift=shift,
    )


def _shift(
    took_ms: Floats, weights: Floats, inside: Mask, percentiles: Sequence[float]
) -> LatencyShift | None:
    """The first percentile that is surely and relevantly higher inside; None: none is."""
    for percentile in percentiles:
        (low, here, high), (least, there, most) = (
            _bounds(took_ms[rows], percentile, weights[rows]) for rows in (inside, ~inside)
        )
        if here >= FACTOR * there and here - there >= FLOOR_MS and low > most:
            bounds = low / max(most, 0.001), high / max(least, 0.001)
            return LatencyShift(percentile, 1e3 * here, 1e3 * there, *bounds)
    return None


def _bounds(values: Floats, percentile: float, weights: Floats) -> tuple[float, float, float]:
    """A percentile with its 95% interval, from the exact one of its rank."""
    order = np.argsort(values, kind="stable")
    ordered, until = values[order], np.cumsum(weights[order])
    size = int(until[-1])
    rank = round(percentile / 100.0 * size)
    interval = clopper_pearson(rank, size)
    places = (interval.low, percentile / 100.0, interval.high)
    ranks = [min(size - 1, max(0, int(place * size))) for place in places]
    low, value, high = ordered[np.searchsorted(until, ranks, side="right")].tolist()
    return low, value, high


def slow_records(recording: Recording, records: RecordTable) -> Iterator[Claim]:
    """The places and stretches of time that hold the slow attempts; none without durations."""
    if records.took is None or len(records.took.values) < 2:
        return
    codes = np.frombuffer(records.took.codes, np.uint8)
    rows = np.flatnonzero(codes)
    counts = np.frombuffer(records.counts, np.int64) if records.counts else np.ones(len(codes))
    weights = counts[rows].astype(np.float64)
    took_ms: Floats = np.asarray([0, *map(int, records.took.values)])[codes[rows]] / 1e6
    if weights.sum() < FEWEST or float(np.ptp(took_ms)) < FLOOR_MS:
        return
    order = np.argsort(took_ms, kind="stable")
    until = np.cumsum(weights[order])
    for base in BASES:
        usual = float(took_ms[order][np.searchsorted(until, base * until[-1])])
        slow = took_ms > max(FACTOR * usual, usual + FLOOR_MS)
        if not FEWEST_SLOW <= weights[slow].sum() < until[-1]:
            continue
        chosen = _chosen(records, rows, slow)
        table = tabulate_records(chosen)
        failures = np.where(table.outcomes.codes > 0, table.counts, 0)
        everything = np.ones(len(table), dtype=np.bool_)
        isolation = isolate(
            replace(recording, table=table, failing=(), by_load=False),
            FailureClass(OK.name, None, failures, everything),
        )
        found = [
            slower_there(locus, table, _inside(chosen, table, locus.rows), took_ms, weights)
            for locus in isolation.slices
        ]
        if any(found):
            yield from filter(None, found)
            return


def _chosen(records: RecordTable, rows: Integers, slow: Mask) -> RecordTable:
    """These rows, told apart by whether they are slow instead of whether they failed."""
    counts = np.frombuffer(records.counts, np.int64)[rows].tobytes() if records.counts else b""
    return RecordTable(
        blocks=np.frombuffer(records.blocks, np.uint16)[rows].tobytes(),
        outcomes=slow.astype(np.uint8).tobytes(),
        names=(OK.name, "slow"),
        counts=counts,
        columns=tuple(
            replace(one, codes=np.frombuffer(one.codes, np.uint8)[rows].tobytes())
            for one in records.columns
        ),
    )


def _inside(records: RecordTable, table: Table, rows: Mask) -> Mask:
    """Which records are counted in these rows of the table, by the block and all columns there."""
    kept = {str(column.dimension): column.codes + 1 for column in table.columns}
    columns = {one.name: one for one in records.columns if one.name in kept}
    keys = np.frombuffer(records.blocks, np.uint16).astype(np.int64)
    wanted = table.blocks.astype(np.int64)
    for name, column in columns.items():
        size = len(column.values) + 1
        keys = keys * size + np.frombuffer(column.codes, np.uint8)
        wanted = wanted * size + kept[name]
    return np.isin(keys, wanted[rows])
