"""Recognises connections that came about only when the SYN was sent again.

A SYN that is lost, or dropped by a full accept queue, is sent again by our own kernel after fixed
times (RFC 6298 section 2: 1 s, then doubled: 1, 3, 7 s after the first; Linux since 6.5 first
repeats every second, `tcp_syn_linear_timeouts`). So such connections take just over 1, 2, 3, 4 or
7 s. They are no slowness of the target's program: something dropped a packet.
"""

from __future__ import annotations

from collections.abc import Sequence

from stress.analysis.latency import whole_run
from stress.analysis.words.numbers import thousands
from stress.measure import Histogram
from stress.model.run import HistogramRow, Phase

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
