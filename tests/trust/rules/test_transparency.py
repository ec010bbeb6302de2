from __future__ import annotations

import pytest

from stress.model.chain import Verdict
from stress.model.outcome import Category
from stress.trust import Judge
from tests.trust.certificates import AT, DAY, HOST, sct_list
from tests.trust.defects import good
from tests.trust.rules.test_validity import day


def missing(verdict: Verdict) -> bool:
    return any(one.category is Category.MISSING_SCT for one in verdict.findings)


@pytest.mark.parametrize(
    ("policy", "lifetime", "scts", "refused"),
    [
        ("apple", 180, 1, True),
        ("apple", 180, 2, False),
        ("apple", 181, 2, True),
        ("apple", 181, 3, False),
        ("chrome", 180, 2, False),
        ("chrome", 181, 2, True),
        ("firefox", 90, 1, True),
        ("java", 90, 0, False),
        ("android", 90, 0, False),
        ("android-17", 90, 0, True),
        ("android-17", 90, 2, False),
        ("android-17", 181, 2, True),
    ],
)
def test_longer_lives_need_more_timestamps(
    public_judge: Judge, policy: str, lifetime: int, scts: int, refused: bool
) -> None:
    sent = good(starts=-DAY, ends=(lifetime - 1) * DAY, scts=scts)

    verdict = public_judge.judge(sent, host=HOST, at=AT, policy=policy)

    assert missing(verdict) == refused


@pytest.mark.parametrize(
    ("months", "scts", "refused"),
    [(450, 2, False), (460, 2, True), (460, 3, False), (825, 3, True)],
)
def test_old_leaves_are_counted_by_months(
    public_judge: Judge, months: int, scts: int, refused: bool
) -> None:
    starts = day("2019-01-01")
    sent = good(starts=starts, ends=starts + months * DAY, scts=scts)

    verdict = public_judge.judge(sent, host=HOST, at=AT, policy="apple")

    assert missing(verdict) == refused


def test_leaves_from_before_the_rule_and_private_ones_need_none(
    judge: Judge, public_judge: Judge
) -> None:
    old = good(starts=day("2018-10-15"), ends=day("2018-10-15") + 90 * DAY)

    assert not missing(public_judge.judge(old, host=HOST, at=AT, policy="apple"))
    assert not missing(judge.judge(good(), host=HOST, at=AT, policy="apple"))


@pytest.mark.parametrize(
    ("scts", "refused"),
    [(sct_list(2), False), (sct_list(1), True), (b"", True), (b"\0\5broken", True), (None, True)],
)
def test_two_timestamps_in_the_handshake_suffice(
    public_judge: Judge, scts: bytes | None, refused: bool
) -> None:
    verdict = public_judge.judge(good(), host=HOST, at=AT, policy="apple", scts=scts)

    assert missing(verdict) == refused


def test_the_count_is_reported(public_judge: Judge) -> None:
    verdict = public_judge.judge(good(scts=1), host=HOST, at=AT, policy="apple", scts=sct_list(1))

    assert verdict.findings[0].detail == (
        "1 SCTs embedded and 1 in the handshake; a lifetime of 90 d requires 2"
    )
