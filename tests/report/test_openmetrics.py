from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import parser
from prometheus_client.parser import text_string_to_metric_families as read_classic

from stress.model.run import Progress, VantageProgress
from stress.model.summary import Summary
from stress.report.openmetrics import OpenMetricsReport, going_on, registry

HALFWAY = Progress(
    elapsed_s=15.0,
    total=20_000,
    duration_s=None,
    started=10_064,
    ended=10_000,
    failed=49,
    ours=1,
    not_sent=2,
    chains=3,
    in_flight=64,
    rate=800.0,
    lag_ns=2_000_000,
)

READ: Any = parser.text_string_to_metric_families
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(text: str) -> Samples:
    """By name and labels, without the target."""
    return {
        (one.name, frozenset((k, v) for k, v in one.labels.items() if k != "target")): one.value
        for family in READ(text)
        for one in family.samples
    }


def test_the_figures_are_those_of_the_summary(summary: Summary) -> None:
    found = samples(OpenMetricsReport().render(summary))

    def of(name: str, **labels: str) -> float:
        return found[f"tls_stress_run_{name}", frozenset(labels.items())]

    assert of("attempts") == 20_000
    assert of("failures", category="incomplete-chain") == 98
    assert of("failing_ratio", bound="value") == summary.failures.share
    assert of("failing_ratio", bound="high") == summary.failures.interval.high
    assert of("verdict", verdict="failing") == 1
    assert of("verdict", verdict="clean") == 0
    assert of("latency_seconds", phase="server", quantile="0.99") == pytest.approx(0.0021)
    assert of("address_failures", address="127.0.0.1:8443", label="edge") == 98


def test_a_collector_of_the_older_format_reads_it_too(summary: Summary) -> None:
    text = OpenMetricsReport().render(summary)

    assert text.endswith("# EOF\n")
    assert any(family.name == "tls_stress_run_attempts" for family in read_classic(text))


def test_what_was_not_measured_has_no_sample(summary: Summary) -> None:
    text = OpenMetricsReport().render(replace(summary, latency={}))

    assert "tls_stress_run_latency_seconds{" not in text


def test_a_run_that_goes_on_has_counters_and_gauges() -> None:
    text = generate_latest(registry(lambda: going_on(HALFWAY, "x.test:443"))).decode()

    assert 'tls_stress_ended_total{target="x.test:443"} 10000.0' in text
    assert 'tls_stress_failures_total{target="x.test:443"} 49.0' in text
    assert 'tls_stress_lag_seconds{target="x.test:443"} 0.002' in text


def test_each_vantage_has_a_label_and_the_sum_is_not_said_again() -> None:
    parts = (VantageProgress("fra", HALFWAY), VantageProgress("nyc", HALFWAY, lost=True))
    progress = replace(HALFWAY, vantages=parts)

    text = generate_latest(registry(lambda: going_on(progress, "x.test:443"))).decode()

    for name in ("fra", "nyc"):
        assert f'tls_stress_ended_total{{target="x.test:443",vantage="{name}"}} 10000.0' in text
    assert 'tls_stress_ended_total{target="x.test:443"}' not in text
    assert 'tls_stress_vantage_up{target="x.test:443",vantage="fra"} 1.0' in text
    assert 'tls_stress_vantage_up{target="x.test:443",vantage="nyc"} 0.0' in text


def test_before_the_first_word_of_a_run_there_is_nothing() -> None:
    assert generate_latest(registry(lambda: going_on(None, "x.test:443"))) == b""


@given(st.text(st.characters()))
def test_any_target_can_be_read_back_from_the_exposition(target: str) -> None:
    text = generate_latest(registry(lambda: going_on(HALFWAY, target))).decode()

    assert len([line for line in text.splitlines() if not line.startswith("#")]) == 10
