from __future__ import annotations

from dataclasses import replace

import pytest

from stress.analysis.ceiling import assertion, doubt, sentence
from stress.model.limit import Limit

FOUND = Limit("p99.total<250ms", (), 950.0, 979.6, True, "timeout-connect", False)
NONE = replace(FOUND, sustained=None, confirmed=False)
OURS = replace(FOUND, generator_limited=True)
CEILING = replace(FOUND, first_failing=None)
UNSURE = replace(FOUND, confirmed=False)


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (
            FOUND,
            (
                "Sustained 950/s with p99.total<250ms, first failing 980/s;"
                " what gave way first: timeout-connect."
            ),
        ),
        (CEILING, "Sustained 950/s with p99.total<250ms, the highest rate that was tried."),
        (
            OURS,
            "Sustained 950/s with p99.total<250ms; at 980/s this machine itself was at its limit.",
        ),
        (
            UNSURE,
            (
                "Sustained 950/s with p99.total<250ms, first failing 980/s (not confirmed);"
                " what gave way first: timeout-connect."
            ),
        ),
        (
            NONE,
            (
                "No rate was found at which p99.total<250ms holds: down to 980/s it did not;"
                " what gave way: timeout-connect."
            ),
        ),
    ],
)
def test_a_limit_is_told_in_a_sentence(limit: Limit, words: str) -> None:
    assert sentence(limit) == words


@pytest.mark.parametrize(
    ("limit", "holds"),
    [(FOUND, "yes"), (CEILING, "yes"), (OURS, "unknown"), (UNSURE, "unknown"), (NONE, "no")],
)
def test_a_limit_is_an_assertion_with_the_sustained_rate(limit: Limit, holds: str) -> None:
    told = assertion(limit)

    assert (told.expression, told.holds) == ("find-limit p99.total<250ms", holds)
    assert told.value == limit.sustained


@pytest.mark.parametrize(("limit", "doubted"), [(None, False), (FOUND, False), (OURS, True)])
def test_only_our_own_limit_makes_the_answer_doubtful(limit: Limit | None, doubted: bool) -> None:
    assert (doubt(limit) is not None) is doubted
