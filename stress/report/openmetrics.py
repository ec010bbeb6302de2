"""The OpenMetrics form: figures of a finished run for a file collector, and of one in progress.

Prometheus and node exporters read both (https://prometheus.io/docs/specs/om/open_metrics_spec/).
Times are seconds, shares are fractions. Names and labels are ours; only the target and its
addresses are the user's, and the library escapes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from stress.model.run import Progress
from stress.model.summary import Answer, Summary
from stress.text.escape import escape

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

_QUANTILES = (("0.5", "p50"), ("0.9", "p90"), ("0.99", "p99"), ("0.999", "p999"), ("1", "max"))
Families = Callable[[], Iterator["Metric"]]


class OpenMetricsReport:
    """One exposition in the OpenMetrics text format."""

    def render(self, summary: Summary) -> str:
        """The exposition, ending in its end mark."""
        from prometheus_client.openmetrics.exposition import (  # noqa: PLC0415 - only needed here
            generate_latest,
        )

        encode: Callable[[CollectorRegistry], bytes] = generate_latest
        return encode(registry(lambda: finished(summary))).decode()


class _Collector:
    """Makes the metrics anew for each scrape."""

    def __init__(self, families: Families) -> None:
        self.collect = families


def registry(families: Families) -> CollectorRegistry:
    """A registry of prometheus_client that holds these and nothing of the process."""
    from prometheus_client import CollectorRegistry as Registry  # noqa: PLC0415 - only needed here

    made = Registry(auto_describe=False)
    made.register(_Collector(families))
    return made


def finished(summary: Summary) -> Iterator[Metric]:
    """The figures of a run that has ended."""
    run = {"target": escape(summary.run.target)}
    failures, bounds = summary.failures, summary.failures.interval
    places = [
        (run | {"address": line.address, "label": escape(line.label or "")}, line)
        for line in summary.addresses
    ]
    figures: list[tuple[str, str, list[tuple[dict[str, str], float]]]] = [
        ("verdict", "1 for the verdict of the run, 0 for the others.", [
            (run | {"verdict": one.value}, float(one is summary.verdict)) for one in Answer
        ]),
        ("attempts", "Attempts, excluding local failures and those not sent.",
         [(run, summary.attempts)]),
        ("completed", "Attempts whose handshake finished.", [(run, summary.completed)]),
        ("ours", "Attempts that failed on this machine.", [(run, summary.ours)]),
        ("not_sent", "Attempts that were due and not sent.", [(run, summary.not_sent)]),
        ("failures", "Failures of the target by outcome.", [
            (run | {"category": name}, count) for name, count in failures.categories.items()
        ]),
        ("failing_ratio", "Failure rate; low and high are its 95% confidence interval.", [
            (run | {"bound": "value"}, failures.share),
            (run | {"bound": "low"}, bounds.low),
            (run | {"bound": "high"}, bounds.high),
        ]),
        ("chains", "Distinct certificate chains.", [(run, len(summary.chains))]),
        ("causes", "Causes that were found.", [(run, len(summary.causes))]),
        ("duration_seconds", "How long the run took.", [(run, summary.run.duration_s)]),
        ("address_attempts", "Attempts by address.",
         [(labels, line.attempts) for labels, line in places]),
        ("address_failures", "Failures of the target by address.",
         [(labels, line.failures) for labels, line in places]),
        ("latency_seconds", "Quantiles of each phase; lag is this machine's own.", [
            (run | {"phase": phase, "quantile": quantile}, value / 1e6)
            for phase, quantiles in summary.latency.items()
            for quantile, field in _QUANTILES
            if (value := getattr(quantiles, field)) is not None
        ]),
    ]  # fmt: skip
    for name, about, rows in figures:
        yield _gauge(f"run_{name}", about, rows)


def going_on(progress: Progress | None, target: str) -> Iterator[Metric]:
    """The figures of a run in progress; before its first progress there are none."""
    if progress is None:
        return
    from prometheus_client.core import CounterMetricFamily  # noqa: PLC0415 - only needed here

    run = {"target": escape(target)}
    # Of several vantages each has its own line, and none says the sum: it would be counted twice.
    parts = [(run | {"vantage": escape(one.name)}, one.progress) for one in progress.vantages]
    parts = parts or [(run, progress)]
    for name, about, field in (
        ("started", "Attempts that began, or were due and not sent.", "started"),
        ("ended", "Attempts that ended, with any outcome.", "ended"),
        ("failures", "Failures of the target.", "failed"),
        ("ours", "Attempts that failed on this machine.", "ours"),
        ("not_sent", "Attempts that were due and not sent.", "not_sent"),
        ("chains", "Distinct certificate chains seen.", "chains"),
    ):
        metric: Metric = CounterMetricFamily(f"tls_stress_{name}", about)
        for labels, part in parts:
            metric.add_sample(f"{metric.name}_total", labels, getattr(part, field))
        yield metric
    for name, about, field, unit in (
        ("in_flight", "Handshakes in flight.", "in_flight", 1),
        ("rate", "Attempts completed per second, over the last few seconds.", "rate", 1),
        ("lag_seconds", "Worst event-loop lag of the last second.", "lag_ns", 1e9),
        ("elapsed_seconds", "Since the first handshake.", "elapsed_s", 1),
    ):
        yield _gauge(name, about, [(one, getattr(part, field) / unit) for one, part in parts])
    if progress.vantages:
        up = [float(not one.lost) for one in progress.vantages]
        rows = [(labels, value) for (labels, _), value in zip(parts, up, strict=True)]
        yield _gauge("vantage_up", "1, or 0 for a vantage that is lost.", rows)


def _gauge(name: str, about: str, rows: list[tuple[dict[str, str], float]]) -> Metric:
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415 - only needed here

    metric: Metric = GaugeMetricFamily(f"tls_stress_{name}", about)
    for labels, value in rows:
        metric.add_sample(metric.name, labels, value)
    return metric
