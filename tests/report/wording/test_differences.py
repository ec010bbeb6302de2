from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stress.model.claims import Basis, Ceiling, Claim, FailureCount, Mechanism, Stalls
from stress.model.run import CELL_OTHERS, Cell, Run
from stress.model.summary import Condition, LatencyShift, Quantiles, Summary
from stress.report.summary import summarize
from stress.report.wording.differences import negotiated, slow, unasked

DRIFT = Claim(
    basis=Basis.NEGOTIATED,
    category="different-alpn",
    mechanism=Mechanism("none", None, FailureCount(0, 100), "alpn"),
    failures=0,
    grade="by-definition",
    total=FailureCount(100, 300),
    values={"h2": 200, "none": 100},
)


def test_every_answer_is_told_with_its_count() -> None:
    assert negotiated(DRIFT) == (
        "The nodes differ in ALPN: the same client agreed on h2 in 200 of 300 (66.7%) and none "
        "in 100 of 300 (33.3%) handshakes."
    )


def test_the_place_of_the_odd_answers_is_told_where_it_is_known() -> None:
    placed = replace(DRIFT, conditions=(Condition("address", "192.0.2.7:443"),))

    assert negotiated(placed).endswith("handshakes; the odd ones are at 192.0.2.7:443.")


@pytest.mark.parametrize(
    "category", ["different-version", "different-suite", "different-key-exchange"]
)
def test_each_kind_has_its_words(category: str) -> None:
    assert "the same client agreed on h2 in" in negotiated(replace(DRIFT, category=category))


@pytest.fixture
def drifting(located: Callable[..., Run]) -> Summary:
    """Nothing fails; a node has lost its ALPN, and half of the offered sessions are refused."""
    run = located(lambda _: 0)
    cells = []
    for like in run.cube().cells:
        others = dict.fromkeys(CELL_OTHERS) | {"offered": like.client == 1}
        changed: dict[str, Any] = {
            "alpn": None if like.address == 1 else "h2",
            "tls_version": 0x0304,
            "resumed": like.client == 1 and like.block % 2 == 0,
            "others": tuple(others.values()),
        }
        cells.append(like._replace(**changed))
    run.the_cube = replace(run.cube(), cells=tuple(cells))  # type: ignore[attr-defined] # the fake
    return summarize(run)


def test_a_run_without_failures_says_what_differs_and_what_to_do(drifting: Summary) -> None:
    lines = drifting.lines

    assert "But: The nodes differ in ALPN" in lines.verdict
    assert "10.0.3.7:443" in lines.where
    assert "the same ALPN list on every node" in lines.fix
    assert "Share the session ticket keys" in lines.fix
    assert "Nothing to fix" not in lines.fix
    assert "Sessions offered for resumption: 4,000 of 8,000 (50%) were accepted." in lines.asked
    assert drifting.verdict.value == "clean"
    kinds = {one.category: one.kind for one in drifting.causes}
    assert kinds == {"different-alpn": "inconsistency", "different-resumption": "inconsistency"}


def test_nothing_is_told_of_a_run_in_which_all_is_alike(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    summary = summarize(recorded([cell(300)]))

    assert unasked(summary.causes, summary.latency) == ("", "")
    assert "Sessions" not in summary.lines.asked


SLOW = Claim(
    basis=Basis.SLOW,
    category="slow",
    mechanism=None,
    failures=0,
    grade="strong",
    conditions=(Condition("address", "192.0.2.7:443"),),
    inside=FailureCount(0, 100),
    elsewhere=FailureCount(0, 900),
    shift=LatencyShift(50.0, 152_000.0, 12_000.0, 9.5, 14.0),
)


def test_a_slower_place_is_told_with_both_figures() -> None:
    assert slow(SLOW) == (
        "Handshakes at 192.0.2.7:443 are slower: median 152 ms there and 12.0 ms elsewhere, "
        "9.5 to 14.0 times as long (95% CI)."
    )
    tail_only = LatencyShift(90.0, 152_000.0, 12_000.0, 9.5, 14.0)
    assert "90th percentile 152 ms there" in slow(replace(SLOW, shift=tail_only))


def test_stalls_are_told_with_their_length() -> None:
    stalls = replace(SLOW, conditions=(), shift=None, stalls=Stalls(27, 121_000.0, 35_000.0))

    assert slow(stalls) == (
        "27 times everybody who came to an address within 121 ms (median) waited, and then all "
        "were answered at once: 100 of 1,000 (10%) handshakes, longer than 35.0 ms each."
    )


def test_a_ceiling_is_told_as_what_gets_through_and_what_waits() -> None:
    ceiling = Ceiling(62.4, 59.0, 65.0, 100.0, 904_000.0)
    plain = replace(SLOW, conditions=(), shift=None, ceiling=ceiling)

    assert slow(plain).startswith(
        "The limit is about 62/s (95% CI 59\N{EN DASH}65): at 100/s offered no more than that are "
        "answered, "
        "and the rest waits, 904 ms in the median; "
    )
    assert "The limit at 192.0.2.7:443 is about 62/s" in slow(replace(SLOW, ceiling=ceiling))


def quantiles(p50: float, p99: float) -> Quantiles:
    return Quantiles(p50, p50, p99, p99, p99)


@pytest.mark.parametrize(
    ("p99_us", "lag_us", "told"),
    [(4_000_000.0, 1_000.0, True), (900_000.0, 1_000.0, False), (4_000_000.0, 3_000_000.0, False)],
)
def test_a_tail_of_seconds_is_told_unless_it_is_our_own(
    p99_us: float,
    lag_us: float,
    told: bool,
) -> None:
    latency = {"total": quantiles(12_000.0, p99_us), "lag": quantiles(100.0, lag_us)}
    sentence, fix = unasked((), latency)

    assert bool(sentence) is told
    if told:
        assert sentence == "One handshake in 100 took 4.0 s or longer; the median is 12.0 ms."
        assert fix == "Examine the slow handshakes first."
