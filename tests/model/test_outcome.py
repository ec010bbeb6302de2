"""Outcomes and stages keep the names that run files and scripts rely on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.model.outcome import (
    CANCELLED,
    NOT_SENT,
    OK,
    Category,
    Kind,
    Outcome,
    Side,
    Stage,
    kind_of,
)

OUTCOMES = st.one_of(
    st.sampled_from([c for c in Category if c is not Category.ALERT]).map(Outcome),
    st.integers(0, 255).map(lambda number: Outcome(Category.ALERT, number)),
)


@given(OUTCOMES)
def test_a_name_is_read_back_as_the_same_outcome(outcome: Outcome) -> None:
    assert Outcome.parse(outcome.name) == outcome
    assert str(outcome) == outcome.name


@pytest.mark.parametrize(
    ("category", "kind", "side"),
    [
        (Category.OK, Kind.OK, Side.NOBODY),
        (Category.INCOMPLETE_CHAIN, Kind.TRUST, Side.TARGET),
        (Category.PIN_MISMATCH, Kind.TRUST, Side.TARGET),
        (Category.DNS, Kind.WIRE, Side.TARGET),
        (Category.PROTOCOL_ERROR, Kind.WIRE, Side.TARGET),
        (Category.LOCAL_PORTS, Kind.OURS, Side.OURS),
        (Category.CANCELLED, Kind.OURS, Side.OURS),
        (Category.NOT_SENT, Kind.NOT_SENT, Side.NOT_SENT),
    ],
)
def test_an_outcome_knows_its_kind_and_whom_it_counts_against(
    category: Category, kind: Kind, side: Side
) -> None:
    assert (category.kind, Outcome(category).kind, Outcome(category).side) == (kind, kind, side)


def test_every_trust_category_and_no_other_has_a_precedence_of_its_own() -> None:
    ranked = [one for one in Category if one.precedence]

    assert set(ranked) == {one for one in Category if one.kind is Kind.TRUST}
    assert len({one.precedence for one in ranked}) == len(ranked)


def test_every_category_has_a_side() -> None:
    numbered = {Category.ALERT: 40}

    assert all(Outcome(category, numbered.get(category)).side for category in Category)


def test_an_alert_counts_against_the_target_and_shows_its_number() -> None:
    outcome = Outcome(Category.ALERT, 112)

    assert (outcome.name, outcome.side) == ("alert-112", Side.TARGET)


@pytest.mark.parametrize(
    ("category", "alert"),
    [(Category.ALERT, None), (Category.RESET, 40), (Category.ALERT, 256), (Category.ALERT, -1)],
)
def test_only_an_alert_has_a_number(category: Category, alert: int | None) -> None:
    with pytest.raises(ValueError, match="alert number"):
        Outcome(category, alert)


@pytest.mark.parametrize("name", ["", "alert", "alert-", "alert-256", "alert-x", "gone", "OK"])
def test_a_name_that_is_not_an_outcome_is_rejected(name: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the messages are of three different makers
        Outcome.parse(name)


def test_the_outcomes_that_code_compares_with_have_constants() -> None:
    assert [outcome.name for outcome in (OK, NOT_SENT, CANCELLED)] == [
        "ok",
        "not-sent",
        "cancelled",
    ]


@pytest.mark.parametrize("stage", Stage)
def test_a_stage_is_read_back_from_its_label(stage: Stage) -> None:
    assert Stage.parse(stage.label) is stage


def test_stages_are_ordered_by_how_far_they_are() -> None:
    assert [stage.label for stage in sorted(Stage, key=lambda stage: stage.order)] == [
        "resolve",
        "connect",
        "proxy",
        "starttls",
        "client-hello",
        "server-hello",
        "certificate",
        "finished",
        "after-handshake",
    ]
    with pytest.raises(KeyError):
        Stage.parse("hello")


@pytest.mark.parametrize("name", ["-9807", "alert-300", "", "cancelled by user", "OK"])
def test_a_word_of_others_is_a_failure_of_the_target(name: str) -> None:
    assert kind_of(name) is Kind.FOREIGN
    assert kind_of(name).side is Side.TARGET


@pytest.mark.parametrize("name", ["ok", "expired-leaf", "alert-40", "cancelled", "not-sent"])
def test_our_own_words_keep_their_kind(name: str) -> None:
    assert kind_of(name) is Outcome.parse(name).kind


def test_the_numbers_of_stages_are_those_in_stored_runs() -> None:
    assert {stage.label: stage.value for stage in Stage} == {
        "resolve": 0,
        "connect": 1,
        "client-hello": 2,
        "server-hello": 3,
        "certificate": 4,
        "finished": 5,
        "after-handshake": 6,
        "starttls": 7,
        "proxy": 8,
    }
