from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from stress.model.chain import Refusal, Verdict
from stress.model.outcome import Category
from stress.trust import Anchors, Judge
from stress.trust.policy import find_policy
from tests.trust.certificates import AT, AUTHORITY, DAY, HOST, Wanted, chain, issue
from tests.trust.defects import good, private, public


def day(text: str) -> int:
    """Seconds from the moment of judgement to a day."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) - AT


def ask(judge: Judge, sent: tuple[bytes, ...], policy: str, at: int = AT) -> Verdict:
    return judge.judge(sent, host=HOST, at=at, policy=policy)


@pytest.mark.parametrize(
    ("at", "category"),
    [
        (AT - DAY - 1, Category.NOT_YET_VALID),
        (AT - DAY, None),
        (AT + DAY, None),
        (AT + DAY + 1, Category.EXPIRED_LEAF),
    ],
)
def test_both_ends_of_the_validity_belong_to_it(
    judge: Judge, at: int, category: Category | None
) -> None:
    sent = good(starts=-DAY, ends=DAY)

    headline = ask(judge, sent, "go", at).headline

    assert (headline.category if headline else None) is category


def test_both_times_are_reported(judge: Judge) -> None:
    early = ask(judge, good(starts=12), "go").headline
    late = ask(judge, good(ends=-3 * DAY), "go").headline

    assert early is not None
    assert late is not None
    assert early.detail == "not valid before 2026-11-23T00:00:12Z, 12 s later"
    assert late.detail == "expired 2026-11-20T00:00:00Z, 3 d before"


def test_an_expired_anchor_is_refused_by_those_who_look_at_it() -> None:
    root = issue(replace(AUTHORITY, common_name="Old Root", ends=-DAY))
    made = issue(Wanted(), issuer=root)
    judge = Judge(Anchors((root.der,), "old.pem", private=True))

    refusing = {
        name
        for name in find_policy("any").families
        if ask(judge, chain(made), name).refusal is Refusal.YES
    }

    assert refusing == {"apple", "chrome", "firefox", "go", "openssl"}


@pytest.mark.parametrize(
    ("anchors", "starts", "days", "extra", "refusing"),
    [
        (public, "2016-06-30", 1827, 3600, ""),
        (public, "2016-06-30", 1827, 3601, "apple"),
        (public, "2018-02-28", 1188, 3600, ""),
        (public, "2018-02-28", 1188, 3601, "apple"),
        (public, "2020-08-31", 825, 0, ""),
        (public, "2020-08-31", 825, 3600, "chrome"),
        (public, "2020-08-31", 825, 3601, "apple chrome"),
        (public, "2020-09-01", 398, 0, ""),
        (public, "2020-09-01", 398, 1, "apple chrome"),
        (public, "2026-03-14", 398, 0, ""),
        (public, "2026-03-15", 200, 0, ""),
        (public, "2026-03-15", 200, 1, "chrome"),
        (public, "2027-03-15", 100, 1, "chrome"),
        (public, "2029-03-15", 47, 1, "chrome"),
        (private, "2019-06-30", 3000, 0, ""),
        (private, "2019-07-01", 825, 3600, ""),
        (private, "2019-07-01", 825, 3601, "apple"),
        (private, "2026-03-15", 398, 1, ""),
    ],
)
def test_the_schedule_is_kept_to_the_second(
    anchors: Callable[[], Anchors], starts: str, days: int, extra: int, refusing: str
) -> None:
    sent = good(starts=day(starts), ends=day(starts) + days * DAY + extra, scts=5)
    judge = Judge(anchors())

    found = {
        name
        for name in find_policy("any").families
        if any(
            one.category is Category.LIFETIME_TOO_LONG and one.refusal is Refusal.YES
            for one in ask(judge, sent, name).findings
        )
    }

    assert found == set(refusing.split())


def test_apple_notes_the_rule_of_the_cas_that_it_does_not_enforce(public_judge: Judge) -> None:
    verdict = ask(public_judge, good(ends=270 * DAY, scts=5), "apple")

    (note,) = verdict.findings
    assert note.category is Category.LIFETIME_TOO_LONG
    assert note.refusal is Refusal.NO
    assert note.detail == ("valid for 300 d, at most 200 d are allowed when issued 2026-10-24")
