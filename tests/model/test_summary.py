"""The summary has the fields that programs rely on, under the name of its schema."""

from __future__ import annotations

from dataclasses import fields

import pytest

from stress.errors import ExitCode
from stress.model.summary import (
    SCHEMA,
    Answer,
    Cause,
    ChainLine,
    Comparator,
    Condition,
    Summary,
    Validity,
)

PROMISED: dict[type, set[str]] = {
    Summary: {
        *("schema", "verdict", "headline", "run", "attempts", "completed", "ours", "not_sent"),
        *("failures", "causes", "unexplained", "chains", "addresses", "latency", "validity"),
        "assertions",
    },
    Cause: {
        *("rank", "category", "kind", "mechanism", "conditions", "aliases", "failures"),
        *("attempts", "precision", "recall", "risk_ratio", "p_value", "grade", "sentence"),
        *("likely", "fix", "clients"),
    },
    ChainLine: {
        *("sha256", "certificates", "subject", "issuer", "seen", "share", "problems", "differs"),
    },
    Validity: {"valid", "reasons"},
}


@pytest.mark.parametrize("noun", PROMISED, ids=lambda noun: noun.__name__)
def test_a_noun_has_every_field_that_is_promised(noun: type) -> None:
    assert {field.name for field in fields(noun)} >= PROMISED[noun]


def test_the_schema_has_a_number() -> None:
    assert SCHEMA == "tls-stress/summary/1"


def test_every_answer_has_an_exit_code_of_the_same_name() -> None:
    assert {answer.value.upper() for answer in Answer} <= {code.name for code in ExitCode}


@pytest.mark.parametrize(
    ("op", "value", "allowed"),
    [
        (Comparator.IS, "b", True),
        (Comparator.IS, "c", False),
        (Comparator.IS, None, False),
        (Comparator.IS_NOT, "b", False),
        (Comparator.IS_NOT, "c", True),
        (Comparator.IS_NOT, None, False),
    ],
)
def test_a_condition_allows_what_it_says(
    op: Comparator,
    value: str | None,
    allowed: bool,
) -> None:
    assert Condition("address", "b", op).allows(value) is allowed
