from __future__ import annotations

from dataclasses import replace

import pytest

from stress.analysis.limit.limit_text import assertion, doubt, sentence
from stress.model.limit import Knob, Limit

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
        (
            replace(FOUND, low=936.4, high=1010.0, gave_way="slow-answer"),
            (
                "Sustained 950/s with p99.total<250ms, first failing 980/s,"
                " surely above 936/s and below 1,010/s (95%);"
                " what gave way first: slow-answer (the ClientHello was answered late)."
            ),
        ),
        (
            replace(FOUND, knob=Knob.CONCURRENCY, of="rsa-only, full", low=900.0),
            (
                "rsa-only, full: sustained 950 at once with p99.total<250ms, first failing"
                " 980 at once, surely above 900 at once (95%); what gave way first:"
                " timeout-connect."
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


@pytest.mark.parametrize(("limit", "doubted"), [(FOUND, False), (OURS, True)])
def test_only_our_own_limit_makes_the_answer_doubtful(limit: Limit, doubted: bool) -> None:
    assert (doubt(limit) is not None) is doubted
