"""One failing run, small enough to read: the demo's, with invented figures."""

from __future__ import annotations

import pytest

from stress.model import summary as nouns
from stress.model.outcome import ClientView
from tests.analysis.conftest import (  # noqa: F401 - fixtures: recorded runs in memory
    cell,
    facts,
    finding,
    histogram_row,
    leaf_alone,
    leaf_and_more,
    located,
    pki,
    plan,
    record,
    recorded,
    seen,
)

BAD = "3f" * 32
GOOD = "a1" * 32


def interval(low: float, high: float) -> nouns.Interval:
    return nouns.Interval(level=0.95, low=low, high=high, method="clopper-pearson")


@pytest.fixture
def summary() -> nouns.Summary:
    """98 of 20,000 received a leaf without its intermediate."""
    return nouns.Summary(
        verdict=nouns.Answer.FAILING,
        headline="98 of 20,000 handshakes (0.49%) received an incomplete chain",
        run=_run(),
        attempts=20_000,
        completed=20_000,
        ours=0,
        not_sent=0,
        failures=nouns.Failures(
            count=98,
            share=0.0049,
            interval=interval(0.004, 0.006),
            categories={"incomplete-chain": 98},
            stages={"incomplete-chain": {"finished": 98}},
        ),
        causes=(_cause(),),
        unexplained=nouns.Unexplained(),
        chains=_chains(),
        addresses=(
            nouns.AddressLine("127.0.0.1:8443", "edge", 20_000, 98, interval(0.004, 0.006)),
        ),
        latency={
            phase: nouns.Quantiles(412.0, 980.0, 2_100.0, 15_000.0, 130_000.0)
            for phase in ("connect", "server", "handshake", "total", "lag")
        },
        validity=nouns.Validity(valid=True, reasons=()),
        assertions=(),
        lines=_lines(),
    )


def _run() -> nouns.RunLine:
    return nouns.RunLine(
        name="lab.test-20260101T000000Z",
        file="results/lab.test-20260101T000000Z.db",
        target="lab.test:8443",
        profile="",
        clients=("generic",),
        started="2026-01-01T00:00:00Z",
        duration_s=31.5,
        processes=2,
        seed=7,
        server_name="lab.test",
    )


def _cause() -> nouns.Cause:
    return nouns.Cause(
        rank=1,
        category="incomplete-chain",
        kind="failure",
        mechanism=nouns.Condition("chain", BAD),
        conditions=(),
        aliases=(),
        failures=98,
        attempts=98,
        precision=1.0,
        recall=1.0,
        risk_ratio=nouns.RiskRatio(None, 5_000.0, None),
        p_value=1e-200,
        grade="decisive",
        sentence="All 98 failures received chain 3f3f3f3f3f3f, which lacks CN=Lab Intermediate A.",
        likely=(
            nouns.Likely(
                "intermediate-not-deployed",
                "one node was deployed without the intermediate",
                "Deploy the full chain",
            ),
        ),
        fix="append the intermediate to the node's certificate file",
        clients={"ios-urlsession": ClientView("yes", "NSURLErrorDomain -1202")},
    )


def _chains() -> tuple[nouns.ChainLine, ...]:
    common = nouns.ChainLine(
        sha256=GOOD,
        certificates=2,
        subject="CN=lab.test",
        issuer="CN=Lab Intermediate A",
        seen=19_902,
        share=0.9951,
        problems={},
        differs="",
    )
    odd = nouns.ChainLine(
        sha256=BAD,
        certificates=1,
        subject="CN=lab.test",
        issuer="CN=Lab Intermediate A",
        seen=98,
        share=0.0049,
        problems={"apple": ("incomplete-chain",), "go": ("incomplete-chain",)},
        differs="same leaf; intermediate CN=Lab Intermediate A missing",
    )
    return (common, odd)


def _lines() -> nouns.Headlines:
    return nouns.Headlines(
        verdict="98 of 20,000 handshakes (0.49%, 95% CI 0.40-0.60%) received an incomplete chain.",
        where="127.0.0.1:8443, the only address.",
        what="CN=lab.test comes without CN=Lab Intermediate A.",
        who="ios-urlsession: NSURLErrorDomain -1202; android-okhttp: SSLHandshakeException.",
        fix="Append the intermediate to the node's certificate file.",
        prove="tls-stress run lab.test:8443 --ca lab.pem -n 20000",
        seen="A failure rate of 0.015% or more would have been detected (95% confidence).",
        asked="lab.test:8443 with client generic, 1 address, SNI lab.test, anchors lab.pem.",
        whence="From host.example, 2026-01-01T00:00:00Z, for 31.5 s.",
        valid="Valid: nothing on this side limited the run.",
    )
