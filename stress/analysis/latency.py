"""Percentiles of each phase, and connections that needed a second SYN.

Good and failing attempts are never mixed in one distribution.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import TypeVar

import numpy as np

from stress.analysis.proportions.binomial import Floats
from stress.measure import Histogram
from stress.model.record import Flag, Record
from stress.model.run import HistogramRow, Phase
from stress.model.summary import Quantiles
from stress.text.numbers import thousands

WHOLE_RUN = -1
"""`HistogramRow.block` of a histogram over the whole run."""
FAILING_TOTAL = "failing-total"
"""Key of the time to failure, beside the phases of the good attempts."""
NOTICED = 1.02
"""Corrected over uncorrected; below this they are shown as one."""
NOTHING = Quantiles(None, None, None, None, None)

STEPS_S = (1, 2, 3, 4, 7)
"""When our own kernel sends a SYN again that was lost, or dropped by a full accept queue: after 1,
3 and 7 s (RFC 6298 section 2: 1 s, then doubled); since Linux 6.5 every second at first
(`tcp_syn_linear_timeouts`). A connection that takes just over such a step is no slowness of the
target's program: something dropped a packet."""
SLACK_S = 0.25
"""How long after its step a connection may open: the round trip, and our lag."""
USUAL_S = 0.3
"""Where the median connection takes longer, a second more is nothing special."""
SLOW_US = 500_000
"""Connections that may be explained by a step."""
FEWEST = 3
MOSTLY = 0.5
"""Part of the slow connections that must lie on steps."""


def phase_ns(record: Record, phase: Phase) -> int | None:
    """How long an attempt spent in a phase; None when it did not reach it."""
    return {
        Phase.CONNECT: record.connect_ns,
        Phase.SERVER: record.server_ns,
        Phase.HANDSHAKE: record.handshake_ns,
        Phase.TOTAL: record.total_ns,
        Phase.ATTEMPT: record.total_ns - (record.started_ns - record.due_ns),
        Phase.LAG: record.lag_ns,
    }[phase]


def latency(rows: Sequence[HistogramRow], *, foreign: bool = False) -> Mapping[str, Quantiles]:
    """Phase -> percentiles in microseconds: every phase of the good, then the time to failure.

    Records that are not ours (`foreign`) have the phases that they have. `attempt` (from the actual
    start) is only there where it differs from `total` (from when it was due), that is where
    attempts began late.
    """
    there = {row.phase for row in rows}
    found = {
        phase.value: quantiles(whole_run(rows, phase))
        for phase in (Phase.SERVER, Phase.CONNECT, Phase.HANDSHAKE, Phase.TOTAL, Phase.LAG)
        if phase in there or not foreign
    }
    attempt, total = quantiles(whole_run(rows, Phase.ATTEMPT)), found.get(Phase.TOTAL, NOTHING)
    # All but the maximum, which is a single attempt.
    pairs = zip(astuple(attempt)[:4], astuple(total)[:4], strict=True)
    if any(one is not None and late is not None and late > NOTICED * one for one, late in pairs):
        found[Phase.ATTEMPT.value] = attempt
    failing = quantiles(whole_run(rows, Phase.TOTAL, good=False))
    return found if failing == NOTHING else {**found, FAILING_TOTAL: failing}


def before_tls(good: Sequence[Record]) -> Mapping[str, Quantiles]:
    """What a proxy and the way to STARTTLS took of these good attempts; only where there were any.

    `proxy` is from the open connection to the proxy's go-ahead, `starttls` from there to the
    server's go-ahead for TLS.
    """
    counted = [one for one in good if not one.flags & Flag.WARM_UP]
    found = {}
    for name in ("proxy", "starttls"):
        histogram = Histogram()
        histogram.record_many([getattr(one, f"{name}_ns") for one in counted])
        found[name] = quantiles(histogram)
    return {name: one for name, one in found.items() if one != NOTHING}


Key = TypeVar("Key")


def by_value(good: Iterable[Record], key: Callable[[Record], Key]) -> Mapping[Key, Quantiles]:
    """How long these attempts took from their start, by what the key reads from each."""
    histograms: dict[Key, Histogram] = {}
    for one in good:
        if not one.flags & Flag.WARM_UP:
            histogram = histograms.setdefault(key(one), Histogram())
            histogram.record_many([phase_ns(one, Phase.ATTEMPT)])
    return {value: quantiles(histogram) for value, histogram in histograms.items()}


def quantiles(histogram: Histogram | None) -> Quantiles:
    """The five figures of one histogram; all None when it is empty."""
    if histogram is None or not histogram.count:
        return NOTHING
    p50, p90, p99, p999 = histogram.percentiles([50.0, 90.0, 99.0, 99.9])
    return Quantiles(p50, p90, p99, p999, histogram.max)


def merged(rows: Iterable[HistogramRow]) -> Histogram | None:
    """All these histograms as one; None when there are none."""
    whole: Histogram | None = None
    for row in rows:
        histogram = Histogram.decode(row.hdr)
        if whole is None:
            whole = histogram
        else:
            whole.merge(histogram)
    return whole


def whole_run(rows: Sequence[HistogramRow], phase: Phase, *, good: bool = True) -> Histogram | None:
    """The phase over the whole run; merged from its blocks when there is no whole one."""
    mine = [row for row in rows if row.phase is phase and row.good is good]
    whole = [row for row in mine if row.block == WHOLE_RUN]
    return merged(whole or mine)


def retry_steps(connects: Histogram | None) -> dict[int, int]:
    """Step in seconds -> connections opened by that retransmission; empty: none are recognised.

    Args:
        connects: connect times of the whole run.
    """
    median_us = connects.percentile(50) if connects is not None else None
    if connects is None or median_us is None or median_us > USUAL_S * 1e6:
        return {}
    found: Counter[int] = Counter()
    slow = 0
    for one in connects.bins():
        if one.high_us < SLOW_US:
            continue
        slow += one.count
        step = next((s for s in STEPS_S if s * 1e6 <= one.high_us < (s + SLACK_S) * 1e6), None)
        if step is not None:
            found[step] += one.count
    return dict(found) if found.total() >= max(FEWEST, MOSTLY * slow) else {}


def retries(rows: Sequence[HistogramRow]) -> str | None:
    """The same as a sentence for the report; None: nothing was recognised."""
    good, failed = (whole_run(rows, Phase.CONNECT, good=one) for one in (True, False))
    if good is not None and failed is not None:
        good.merge(failed)
    found = retry_steps(good or failed)
    if not found:
        return None
    steps = ", ".join(f"{thousands(found[step])} after {step} s" for step in sorted(found))
    return (
        f"connections that opened only after the SYN was sent again: {steps};"
        " a packet was lost, or an accept queue was full"
    )


# Whether a percentile of latency changed between two runs, by resampling whole blocks of time.
#
# A block bootstrap: slow handshakes come in clusters, so that the interval from resampling single
# handshakes covers the truth in one of three cases only. Blocks may be resampled.

PHASES = (Phase.SERVER, Phase.HANDSHAKE)
PERCENTILES = (50.0, 99.0)
FEWEST_BLOCKS = 8
DRAWS = 400
SEED = 20260102
RELEVANT = 0.1
"""An increase must be at least this part of the old value to count as worse (`--tolerance`)."""
FEWEST_ABOVE = 10
"""Handshakes that have to lie above a percentile for it to be compared."""


@dataclass(frozen=True, slots=True)
class LatencyChange:
    """A percentile before and after, with a 95% interval of the difference, in microseconds."""

    phase: Phase
    percentile: float
    before_us: float
    after_us: float
    low_us: float
    high_us: float
    tolerance: float = RELEVANT

    @property
    def worse(self) -> bool:
        """Surely slower, and by enough to matter."""
        return self.low_us > 0.0 and self.low_us >= self.tolerance * self.before_us

    @property
    def sentence(self) -> str:
        """The change in milliseconds."""
        return (
            f"p{self.percentile:g} of {self.phase.value}: {self.after_us / 1000:,.2f} ms, before "
            f"{self.before_us / 1000:,.2f} ms (difference {self.low_us / 1000:+,.2f} to "
            f"{self.high_us / 1000:+,.2f} ms)."
        )


def latency_changes(
    before: Sequence[HistogramRow], after: Sequence[HistogramRow], tolerance: float = RELEVANT
) -> tuple[LatencyChange, ...]:
    """The changes of all compared percentiles; none where the blocks or handshakes are too few."""
    changes: list[LatencyChange] = []
    for phase in PHASES:
        runs = [
            [
                Histogram.decode(row.hdr)
                for row in sorted(rows, key=lambda row: row.block)
                if row.phase is phase and row.good and row.block != WHOLE_RUN
            ]
            for rows in (before, after)
        ]
        fewest = min(sum(block.count for block in blocks) for blocks in runs)
        if min(len(blocks) for blocks in runs) < FEWEST_BLOCKS:
            continue
        matrices = list(map(_matrix, runs))
        for percentile in PERCENTILES:
            if fewest < FEWEST_ABOVE / (1.0 - percentile / 100.0):
                continue
            random = np.random.default_rng(SEED)
            (one, old), (two, new) = (_resampled(*each, percentile, random) for each in matrices)
            low, high = np.quantile(two - one, (0.025, 0.975))
            changes.append(
                LatencyChange(phase, percentile, old, new, float(low), float(high), tolerance)
            )
    return tuple(changes)


def _matrix(blocks: Sequence[Histogram]) -> tuple[Floats, Floats]:
    """What each block counts below each edge of a bucket, and these edges in microseconds."""
    bins = [list(block.bins()) for block in blocks]
    edges = sorted({one.high_us for block in bins for one in block})
    places = {edge: place for place, edge in enumerate(edges)}
    counts = np.zeros((len(blocks), len(edges)))
    for row, block in enumerate(bins):
        for one in block:
            counts[row, places[one.high_us]] += one.count
    return counts, np.asarray(edges, dtype=np.float64)


def _resampled(
    counts: Floats, values: Floats, percentile: float, random: np.random.Generator
) -> tuple[Floats, float]:
    """The percentile of resampled runs, and of the run as it was."""
    size = len(counts)
    draws = random.multinomial(size, np.full(size, 1.0 / size), size=DRAWS)
    drawn = values[_place(draws @ counts, percentile)]
    whole = values[_place(counts.sum(axis=0, keepdims=True), percentile)]
    return drawn, float(whole[0])


def _place(counts: Floats, percentile: float) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Bin of the percentile in each row of counts."""
    sums = np.cumsum(counts, axis=1)
    wanted = sums[:, -1:] * percentile / 100.0
    return np.asarray((sums < wanted).sum(axis=1).clip(max=counts.shape[1] - 1), dtype=np.int64)
