"""Percentiles of each phase. Good and failing attempts are never mixed in one distribution."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from stress.measure import Histogram
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


# Recognises connections that came about only when the SYN was sent again.
#
# A SYN that is lost, or dropped by a full accept queue, is sent again by our own kernel after fixed
# times (RFC 6298 section 2: 1 s, then doubled: 1, 3, 7 s after the first; Linux since 6.5 first
# repeats every second, `tcp_syn_linear_timeouts`). So such connections take just over 1, 2, 3, 4 or
# 7 s. They are no slowness of the target's program: something dropped a packet.

STEPS_S = (1, 2, 3, 4, 7)
SLACK_S = 0.25
"""How much later than its step a connection may be open: the round trip, and our lag."""
USUAL_S = 0.3
"""Where the median connection takes longer, a second more is nothing special."""
FEWEST = 3
MOSTLY = 0.5
"""Share of the slow connections (0.5 s and more) that must lie on steps."""


def retry_steps(connects: Histogram | None) -> dict[int, int]:
    """Step in seconds -> connections that were opened by that repeat; empty: none are recognised.

    Args:
        connects: connect times of the whole run.
    """
    median_us = connects.percentile(50) if connects is not None else None
    if connects is None or median_us is None or median_us > USUAL_S * 1e6:
        return {}
    found: dict[int, int] = {}
    slow = 0
    for one in connects.bins():
        if one.high_us < 500_000:
            continue
        slow += one.count
        step = next((s for s in STEPS_S if s * 1e6 <= one.high_us < (s + SLACK_S) * 1e6), None)
        if step is not None:
            found[step] = found.get(step, 0) + one.count
    on_steps = sum(found.values())
    return found if on_steps >= FEWEST and on_steps >= MOSTLY * slow else {}


def retries(rows: Sequence[HistogramRow]) -> str | None:
    """The same as a sentence for the report; None: nothing to tell."""
    good, failed = (whole_run(rows, Phase.CONNECT, good=one) for one in (True, False))
    if good is not None and failed is not None:
        good.merge(failed)
    found = retry_steps(good or failed)
    if not found:
        return None
    steps = ", ".join(f"{thousands(found[step])} after {step} s" for step in sorted(found))
    return (
        f"connections that opened only when their SYN was sent again: {steps};"
        " a packet was lost, or an accept queue was full"
    )
