from __future__ import annotations

from dataclasses import replace

import pytest

from stress.model.claims import Notice, NoticeKind, ValidityClaim
from stress.model.limit import Knob, Limit
from stress.report.wording.context import limit_sentence, validity

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
                " limiting factor: timeout-connect."
            ),
        ),
        (
            replace(FOUND, low=936.4, high=1010.0, gave_way="slow-answer"),
            (
                "Sustained 950/s with p99.total<250ms, first failing 980/s,"
                " above 936/s and below 1,010/s with 95% confidence;"
                " limiting factor: slow-answer (the ClientHello was answered late)."
            ),
        ),
        (
            replace(FOUND, knob=Knob.CONCURRENCY, of="rsa-only, full", low=900.0),
            (
                "rsa-only, full: sustained 950 at once with p99.total<250ms, first failing"
                " 980 at once, above 900 at once with 95% confidence; limiting factor:"
                " timeout-connect."
            ),
        ),
        (CEILING, "Sustained 950/s with p99.total<250ms, the highest rate that was tried."),
        (
            OURS,
            "Held at 950/s with p99.total<250ms; this machine cannot test above 980/s.",
        ),
        (
            UNSURE,
            (
                "Sustained 950/s with p99.total<250ms, first failing 980/s (not confirmed);"
                " limiting factor: timeout-connect."
            ),
        ),
        (
            NONE,
            (
                "No rate was found at which p99.total<250ms holds: it fails even at 980/s;"
                " limiting factor: timeout-connect."
            ),
        ),
    ],
)
def test_a_limit_is_one_sentence(limit: Limit, words: str) -> None:
    assert limit_sentence(limit) == words


def test_the_generators_own_limit_says_nothing_about_the_target() -> None:
    notice = Notice(NoticeKind.GENERATOR_LIMITED, limit=replace(OURS, of="rsa-only"))
    (words,) = validity(ValidityClaim((notice,), ())).reasons

    assert words.startswith("generator-limited at 980/s (rsa-only): nothing is known")
