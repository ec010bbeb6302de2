"""Percentiles of each phase. Good and failing attempts are never mixed in one distribution."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from stress.measure import Histogram
from stress.model.run import HistogramRow, Phase
from stress.model.summary import Quantiles

WHOLE_RUN = -1
"""`HistogramRow.block` of a histogram over the whole run."""
FAILING_TOTAL = "failing-total"
"""Key of the time to failure, beside the phases of the good attempts."""
NOTICED = 1.02
"""Corrected over uncorrected; below this they are shown as one."""
NOTHING = Quantiles(None, None, None, None, None)


def latency(rows: Sequence[HistogramRow]) -> Mapping[str, Quantiles]:
    """Phase -> percentiles in microseconds: every phase of the good, then the time to failure.

    `attempt` (from the real start) is only there where it differs from `total`.
    """
    found = {
        phase.value: quantiles(whole_run(rows, phase))
        for phase in (Phase.SERVER, Phase.CONNECT, Phase.HANDSHAKE, Phase.TOTAL, Phase.LAG)
    }
    attempt = quantiles(whole_run(rows, Phase.ATTEMPT))
    if _differ(attempt, found[Phase.TOTAL.value]):
        found[Phase.ATTEMPT.value] = attempt
    failing = quantiles(whole_run(rows, Phase.TOTAL, good=False))
    return found if failing == NOTHING else {**found, FAILING_TOTAL: failing}


def _differ(uncorrected: Quantiles, corrected: Quantiles) -> bool:
    """Whether attempts that began late make a difference that a reader would notice."""
    pairs = zip(
        (uncorrected.p50, uncorrected.p90, uncorrected.p99, uncorrected.p999),
        (corrected.p50, corrected.p90, corrected.p99, corrected.p999),
        strict=True,
    )
    return any(
        one is not None and other is not None and other > NOTICED * one for one, other in pairs
    )


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
    """The phase over the whole run; put together from its blocks when there is no whole one."""
    mine = [row for row in rows if row.phase is phase and row.good is good]
    whole = [row for row in mine if row.block == WHOLE_RUN]
    return merged(whole or mine)
