from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stress.model.claims import Basis, Claim, FailureCount, Mechanism
from stress.model.run import CELL_OTHERS, Cell, Run
from stress.model.summary import Condition, Summary
from stress.report.summary import summarize
from stress.report.wording.differences import negotiated, unasked

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
        cells.append(replace(like, **changed))
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

    assert unasked(summary.causes) == ("", "")
    assert "Sessions" not in summary.lines.asked
