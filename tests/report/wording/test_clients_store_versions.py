"""Which versions refuse a chain, in one sentence."""

from __future__ import annotations

import pytest

from stress.model.chain import Finding, Refusal, Verdict
from stress.model.outcome import Category
from stress.report.wording.clients import store_versions

SOMETIMES, NO = Refusal.SOMETIMES, Refusal.NO


def verdict(*versions: str, refusal: Refusal = SOMETIMES) -> Verdict:
    findings = [Finding(Category.UNTRUSTED_ROOT, None, "x", refusal, one) for one in versions]
    return Verdict(b"", "any", "", 0, tuple(findings))


@pytest.mark.parametrize(
    ("verdicts", "sentence"),
    [
        ([], ""),
        ([verdict("")], ""),
        ([verdict("iOS, every version")], ""),
        (
            [verdict("Android ≤ 13", "Java < 11.0.22"), verdict("Android ≤ 13")],
            "Fails on Android ≤ 13, Java < 11.0.22; accepted by newer ones.",
        ),
        ([verdict("Chrome ≥ 131")], "Fails on Chrome ≥ 131; accepted by older ones."),
        (
            [verdict("Android ≤ 13", "Chrome ≥ 131")],
            "Fails on Android ≤ 13, Chrome ≥ 131; accepted by other ones.",
        ),
        (
            [verdict("Android ≤ 7.0", refusal=NO)],
            "Fails on versions too old to count: Android ≤ 7.0.",
        ),
        # A rule against young leaves is no matter of age.
        ([verdict("Chrome ≥ 131", refusal=NO)], ""),
    ],
)
def test_each_version_is_named_once(verdicts: list[Verdict], sentence: str) -> None:
    assert store_versions(verdicts) == sentence
