from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stress.analysis.tally import count
from stress.analysis.verdict import limit_assertion, validity, verdict
from stress.model.claims import NoticeKind
from stress.model.limit import Limit
from stress.model.run import Cell, End, RunFacts
from stress.model.summary import Answer, Assertion

YES, NO, UNKNOWN = (Assertion("x<1", holds, None) for holds in ("yes", "no", "unknown"))


@pytest.mark.parametrize(
    ("endings", "end", "goals", "expected"),
    [
        ({"ok": 100}, End.COMPLETED, (), Answer.CLEAN),
        ({"ok": 99, "reset": 1}, End.COMPLETED, (), Answer.FAILING),
        ({"ok": 99, "reset": 1}, End.COMPLETED, (YES,), Answer.CLEAN),
        ({"ok": 100}, End.COMPLETED, (YES, NO), Answer.FAILING),
        ({"ok": 100}, End.COMPLETED, (YES, UNKNOWN), Answer.INCONCLUSIVE),
        ({"ok": 99, "reset": 1}, End.INTERRUPTED, (NO,), Answer.INTERRUPTED),
        ({"ok": 94, "local-ports": 6}, End.COMPLETED, (), Answer.INVALID),
        ({"ok": 96, "local-ports": 4}, End.COMPLETED, (), Answer.CLEAN),
        ({"ok": 90, "local-ports": 9, "reset": 1}, End.COMPLETED, (), Answer.FAILING),
        ({}, End.COMPLETED, (), Answer.INVALID),
        ({"not-sent": 9}, End.COMPLETED, (), Answer.INVALID),
        ({"cancelled": 9}, End.STOPPED, (), Answer.INVALID),
        ({"ok": 50}, End.UNFINISHED, (), Answer.INCONCLUSIVE),
    ],
)
def test_the_first_that_fits_is_the_answer(
    cell: Callable[..., Cell],
    facts: RunFacts,
    endings: dict[str, int],
    end: End,
    goals: tuple[Assertion, ...],
    expected: Answer,
) -> None:
    tally = count(cell(number, outcome=name) for name, number in endings.items())
    known = replace(facts, end=end)

    assert verdict(known, tally, validity(known, tally), goals) is expected


def test_the_engines_doubt_makes_a_run_invalid(cell: Callable[..., Cell], facts: RunFacts) -> None:
    tally = count([cell(10)])
    doubted = replace(facts, invalid=True, reasons=("a limiter answers our load",))
    judged = validity(doubted, tally)

    assert not judged.valid
    assert [one.text for one in judged.fatal] == ["a limiter answers our load"]
    assert verdict(doubted, tally, judged) is Answer.INVALID


def test_what_is_missing_is_noted(cell: Callable[..., Cell], facts: RunFacts) -> None:
    tally = count([cell(10), cell(2, outcome="cancelled"), cell(1, outcome="not-sent")])
    judged = validity(replace(facts, end=End.UNFINISHED, started=20, recorded=13), tally)

    assert judged.valid
    assert [(one.kind, one.count) for one in judged.notes] == [
        (NoticeKind.UNFINISHED, 0),
        (NoticeKind.LOST, 7),
        (NoticeKind.CANCELLED, 2),
        (NoticeKind.NOT_SENT, 1),
    ]


FOUND = Limit("p99.total<250ms", (), 950.0, 979.6, True, "timeout-connect", False)


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({}, "yes"),
        ({"first_failing": None}, "yes"),
        ({"generator_limited": True}, "unknown"),
        ({"confirmed": False}, "unknown"),
        ({"sustained": None, "confirmed": False}, "no"),
    ],
)
def test_a_limit_is_an_assertion_with_the_sustained_rate(
    changes: dict[str, Any], holds: str
) -> None:
    limit = replace(FOUND, **changes)
    found = limit_assertion(limit)

    assert (found.expression, found.holds) == ("find-limit p99.total<250ms", holds)
    assert found.value == limit.sustained


@pytest.mark.parametrize("limited", [False, True])
def test_only_the_generators_own_limit_makes_a_run_invalid(
    cell: Callable[..., Cell], facts: RunFacts, limited: bool
) -> None:
    known = replace(facts, limits=(replace(FOUND, generator_limited=limited),))

    assert validity(known, count([cell(10)])).valid is not limited
