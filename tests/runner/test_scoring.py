from dataclasses import replace
from typing import Any

import pytest

from stress.lab.scenarios import Planted
from stress.model.summary import (
    Answer,
    Cause,
    Condition,
    Failures,
    Headlines,
    Interval,
    Likely,
    RiskRatio,
    RunLine,
    Summary,
    Unexplained,
    Validity,
)
from stress.runner.scoring import missed

BOUNDS = Interval(0.95, 0.0, 1.0, "none")


def summary(verdict: Answer, **found: Any) -> Summary:
    """A summary in which only what the test names was found."""
    if "categories" in found:
        found["failures"] = Failures(0, 0.0, BOUNDS, found.pop("categories"))
    nothing = Summary(
        verdict=verdict,
        headline="",
        run=RunLine("", "", "", "", (), "", 0.0, 1, 0),
        attempts=10,
        completed=10,
        ours=0,
        not_sent=0,
        failures=Failures(0, 0.0, BOUNDS, {}),
        causes=(),
        unexplained=Unexplained(),
        chains=(),
        addresses=(),
        latency={},
        validity=Validity(valid=True, reasons=()),
        assertions=(),
        lines=Headlines(*[""] * 10),
    )
    return replace(nothing, **found)


def cause(*conditions: Condition, mechanism: Condition | None = None) -> Cause:
    ratio = RiskRatio(None, 1.0, None)
    return Cause(
        rank=1,
        category="reset",
        kind="failure",
        mechanism=mechanism,
        conditions=conditions,
        aliases=(),
        failures=1,
        attempts=1,
        precision=1.0,
        recall=1.0,
        risk_ratio=ratio,
        p_value=0.0,
        grade="",
        sentence="",
        likely=(),
        fix="",
        clients={},
    )


def planted(category: str | None, *where: tuple[str, str], also: Any = ()) -> Planted:
    return Planted(category, 0.1, where, "", also)


def test_nothing_planted_is_found_when_nothing_failed() -> None:
    assert missed(summary(Answer.CLEAN), planted(None)) == ()
    assert missed(summary(Answer.FAILING), planted(None)) != ()


def test_an_ending_without_a_place_is_found_by_its_category() -> None:
    seen = summary(Answer.FAILING, categories={"reset": 3})

    assert missed(seen, planted("reset")) == ()
    assert missed(seen, planted("eof")) == ("no attempt failed with eof",)


@pytest.mark.parametrize(
    "found",
    [
        cause(Condition("client", "old")),
        cause(mechanism=Condition("client", "old")),
        replace(cause(), aliases=((Condition("address", "a"), Condition("client", "old")),)),
    ],
)
def test_a_place_is_found_when_a_cause_names_it(found: Cause) -> None:
    seen = summary(Answer.FAILING, categories={"reset": 3}, causes=(found,))

    assert missed(seen, planted("reset", ("client", "old"))) == ()
    assert missed(seen, planted("reset", ("client", "new"))) == (
        "reset is not traced to client new",
    )


def test_a_chain_is_written_shorter_and_an_address_as_it_is() -> None:
    here = cause(Condition("address", "a:1"), mechanism=Condition("chain", "abcd"))
    seen = summary(Answer.FAILING, categories={"reset": 1}, causes=(here,))

    assert missed(seen, planted("reset", ("chain", "abcdef"), ("address", "a:1"))) == ()
    assert len(missed(seen, planted("reset", ("chain", "cdef"), ("address", "b:1")))) == 2


def test_what_was_planted_must_come_first() -> None:
    other, mine = cause(Condition("client", "new")), cause(Condition("client", "old"))
    seen = summary(Answer.FAILING, categories={"reset": 3}, causes=(other, mine))

    assert missed(seen, planted("reset", ("client", "old"))) != ()


def test_a_cause_of_another_kind_of_failure_does_not_count() -> None:
    other = replace(cause(Condition("client", "old")), category="eof")
    seen = summary(Answer.FAILING, categories={"reset": 3, "eof": 1}, causes=(other,))

    assert missed(seen, planted("reset", ("client", "old"))) != ()


def test_an_inconsistency_is_no_cause() -> None:
    differing = replace(cause(Condition("chain", "ab")), failures=0)
    seen = summary(Answer.CLEAN, causes=(differing,))

    assert missed(seen, planted(None)) == ()


@pytest.mark.parametrize("where", [(), (("stage", "client-hello"),), (("chain", "abc"),)])
def test_a_place_that_was_not_planted_is_a_false_finding(
    where: tuple[tuple[str, str], ...],
) -> None:
    stages = {"reset": {"client-hello": 3}}
    false = cause(Condition("address", "a:1"), mechanism=Condition("chain", "abc"))
    seen = summary(
        Answer.FAILING, failures=Failures(3, 0.3, BOUNDS, {"reset": 3}, stages), causes=(false,)
    )

    assert missed(seen, planted("reset", *where)) == ("reset is blamed on address a:1",)


NOON = 12 * 3600 * 1_000_000_000
WINDOW = ((NOON + 8_000_000_000, NOON + 18_000_000_000),)
THRICE = tuple((NOON + s * 10**9, NOON + (s + 1) * 10**9) for s in (4, 14, 24))


@pytest.mark.parametrize(
    ("told", "windows", "found"),
    [
        ("12:00:08-12:00:18", WINDOW, True),
        ("12:00:09-12:00:17", WINDOW, True),
        ("12:00:02-12:00:18", WINDOW, False),
        ("from 12:00:08", WINDOW, True),
        ("until 12:00:18", WINDOW, True),
        ("from 12:00:30", WINDOW, False),
        ("from 12:00:12", ((NOON + 12 * 10**9, None),), True),
        ("12:00:04-12:00:05, 12:00:14-12:00:15, 12:00:24-12:00:25", THRICE, True),
        ("12:00:04-12:00:05, 12:00:14-12:00:15", THRICE, False),
        ("12:00:04-12:00:05 and 2 more", THRICE, True),
        ("12:00:04-12:00:05, 12:00:40-12:00:41", THRICE, False),
        ("at night", WINDOW, False),
    ],
)
def test_a_time_is_found_within_two_seconds(
    told: str, windows: tuple[tuple[int, int | None], ...], found: bool
) -> None:
    """With an en dash, as reports write ranges."""
    found_there = cause(Condition("time", told.replace("-", "\u2013")))
    seen = summary(Answer.FAILING, categories={"reset": 3}, causes=(found_there,))

    assert (missed(seen, planted("reset", ("time", "8-18 s")), windows) == ()) is found


@pytest.mark.parametrize(
    ("dimension", "told", "value"),
    [
        ("local_port", "parity(port & 0x4413) = 0", "crc32 mod 8 = 7"),
        ("rate", "240/s or more", "over 200/s"),
        ("rate", "180/s or more", "over 200/s"),
    ],
)
def test_a_hash_or_a_limit_may_be_described_in_other_words(
    dimension: str, told: str, value: str
) -> None:
    seen = summary(
        Answer.FAILING, categories={"reset": 3}, causes=(cause(Condition(dimension, told)),)
    )

    assert missed(seen, planted("reset", (dimension, value))) == ()


@pytest.mark.parametrize("told", ["120/s or more", "less than 240/s", "all of it"])
def test_a_rate_below_the_limit_is_not_the_limit(told: str) -> None:
    found_there = cause(Condition("rate", told))
    seen = summary(Answer.FAILING, categories={"reset": 3}, causes=(found_there,))

    assert missed(seen, planted("reset", ("rate", "over 200/s"))) != ()


def test_a_stage_is_found_in_the_table_of_failures() -> None:
    failures = Failures(3, 0.3, BOUNDS, {"reset": 3}, {"reset": {"client-hello": 3}})
    seen = summary(Answer.FAILING, failures=failures)

    assert missed(seen, planted("reset", ("stage", "client-hello"))) == ()
    assert missed(seen, planted("reset", ("stage", "server-hello"))) != ()


def test_every_further_cause_must_be_found() -> None:
    seen = summary(Answer.FAILING, categories={"reset": 3})

    assert missed(seen, planted("reset", also=(planted("eof"),))) == ("no attempt failed with eof",)


@pytest.mark.parametrize("kind", ["latency", "inconsistency"])
def test_what_fails_nowhere_is_scored_by_its_cause(kind: str) -> None:
    planted = Planted("slow", 0.0, (("address", "127.0.0.4:443"),), "one is slower")
    place = Condition("address", "127.0.0.4:443")
    found = replace(cause(place), category="slow", kind=kind, failures=0)

    assert missed(summary(Answer.CLEAN, causes=(found,)), planted) == ()
    assert missed(summary(Answer.CLEAN), planted) == ("no attempt failed with slow",)
    elsewhere = replace(found, conditions=(Condition("address", "127.0.0.1:443"),))
    (line,) = missed(summary(Answer.CLEAN, causes=(elsewhere,)), planted)
    assert line == "slow is not traced to address 127.0.0.4:443"


def test_a_healthy_farm_in_which_something_is_called_slow_is_a_false_finding() -> None:
    found = replace(cause(), category="slow", kind="latency", failures=0)
    (line,) = missed(summary(Answer.CLEAN, causes=(found,)), Planted(None, 0.0, (), "nothing"))

    assert line == "nothing was planted, but something is called slow"


def test_a_root_cause_is_found_by_its_id_wherever_the_failures_are_told() -> None:
    asked = replace(planted("reset"), likely="locked-out")
    named = (Likely("rate-limiter", "", ""), Likely("locked-out", "", ""))
    whole = {"categories": {"reset": 3}}
    unexplained = summary(Answer.FAILING, unexplained=Unexplained(3, named), **whole)
    placed = summary(Answer.FAILING, causes=(replace(cause(), likely=named),), **whole)
    silent = summary(Answer.FAILING, causes=(replace(cause(), likely=named[:1]),), **whole)

    assert missed(unexplained, asked) == ()
    assert missed(placed, asked) == ()
    assert missed(silent, asked) == ("reset is not called locked-out",)
