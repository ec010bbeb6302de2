"""What is said of two runs, as text and as a document."""

import json
from dataclasses import replace
from typing import Any

import pytest

from stress.analysis.compare.compare import CauseChange, Change, Comparison, Rates
from stress.analysis.latency import LatencyChange
from stress.model.run import Phase
from stress.model.summary import Summary
from stress.report.comparison import SCHEMA, comparison_document, render_comparison

BEFORE = Rates(20, 160, 0, 160, 1.0, 1e-6, 0.2)
SLOWER = LatencyChange(Phase.SERVER, 99.0, 2_000.0, 9_000.0, 5_000.0, 8_000.0)


@pytest.fixture
def found(summary: Summary) -> Comparison:
    cause = CauseChange("All 20 at a.", BEFORE, Change.BETTER, "0 of 40 at a, 50% before.")
    return Comparison(
        Change.BETTER, "Better: 0 of 160.", (), BEFORE, (cause,), (SLOWER,), summary, summary
    )


def test_the_answer_comes_first_then_what_it_stands_on(found: Comparison) -> None:
    lines = render_comparison(found).splitlines()

    assert lines[0].split(maxsplit=1) == ["better", "Better: 0 of 160."]
    assert [line.split()[0] for line in lines if line[0] != " "] == [
        *("better", "cause", "slower", "before", "after"),
    ]
    assert max(map(len, lines)) <= 100


def test_what_cannot_be_compared_is_not_compared(found: Comparison) -> None:
    other = replace(found, change=Change.NOT_COMPARABLE, reasons=("the target differs",))

    assert "cause" not in render_comparison(other)


def test_a_hostile_name_is_escaped(found: Comparison) -> None:
    evil = replace(found, headline="\x1b[31mred\x1b[0m")

    assert "\x1b" not in render_comparison(evil) + comparison_document(evil)


@pytest.mark.parametrize("ratio", [0.2, float("inf")])
def test_the_document_holds_the_same_figures(found: Comparison, ratio: float) -> None:
    document: Any = json.loads(
        comparison_document(replace(found, rates=replace(BEFORE, ratio_high=ratio)))
    )

    assert document["schema"] == SCHEMA
    assert document["change"] == "better"
    assert document["rates"]["before_failures"] == 20
    assert document["rates"]["ratio_high"] == (0.2 if ratio == 0.2 else None)
    assert document["latency"][0]["worse"]
