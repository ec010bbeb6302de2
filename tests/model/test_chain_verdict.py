"""A verdict's headline is its first finding that a client would act on."""

from __future__ import annotations

import pytest

from stress.model.chain import Finding, Refusal, Verdict
from stress.model.outcome import Category

NOTE = Finding(Category.WEAK_KEY, 0, "1,024 bits", Refusal.NO)
MAYBE = Finding(Category.INCOMPLETE_CHAIN, None, "intermediate missing", Refusal.SOMETIMES)
SURE = Finding(Category.EXPIRED_LEAF, 0, "expired 2026-10-01T00:00:00Z")


def verdict(*findings: Finding) -> Verdict:
    return Verdict(b"\0" * 32, "any", "a.test", 0, findings)


@pytest.mark.parametrize(
    ("findings", "refusal", "headline"),
    [
        ((), Refusal.NO, None),
        ((NOTE,), Refusal.NO, None),
        ((NOTE, MAYBE), Refusal.SOMETIMES, MAYBE),
        ((MAYBE, SURE), Refusal.YES, MAYBE),
        ((NOTE, SURE, MAYBE), Refusal.YES, SURE),
    ],
)
def test_the_strongest_refusal_counts_and_the_first_one_is_named(
    findings: tuple[Finding, ...], refusal: Refusal, headline: Finding | None
) -> None:
    judged = verdict(*findings)

    assert (judged.refusal, judged.headline) == (refusal, headline)
