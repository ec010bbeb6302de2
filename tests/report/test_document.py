import json
from dataclasses import replace
from importlib import resources
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.model.summary import Quantiles, Summary
from stress.report.document import DocumentReport, schema

CONTRACT = [
    "schema",
    "verdict",
    "headline",
    "run",
    "attempts",
    "completed",
    "ours",
    "not_sent",
    "failures",
    "causes",
    "unexplained",
    "chains",
    "addresses",
    "latency",
    "validity",
    "assertions",
]


def test_the_document_has_the_contracts_fields_in_its_order(summary: Summary) -> None:
    fields = json.loads(DocumentReport().render(summary))

    assert [name for name in fields if name in CONTRACT] == CONTRACT
    assert fields["schema"] == "tls-stress/summary/1"
    assert fields["failures"]["interval"]["method"] == "clopper-pearson"
    assert fields["causes"][0]["mechanism"]["dimension"] == "chain"
    assert fields["latency"]["server"]["unit"] == "us"


def test_the_document_reads_back_as_the_same_summary(summary: Summary) -> None:
    assert msgspec.json.decode(DocumentReport().render(summary), type=Summary) == summary


@pytest.mark.parametrize("document", ["{}", '{"schema": 1}', '{"verdict": "fine"}'])
def test_another_document_is_refused(document: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(document, type=Summary)


def test_what_is_not_finite_becomes_null(summary: Summary) -> None:
    endless = Quantiles(float("nan"), float("inf"), None, None, None)
    fields = json.loads(DocumentReport().render(replace(summary, latency={"server": endless})))

    assert fields["latency"]["server"]["p50"] is None
    assert fields["latency"]["server"]["p90"] is None


@pytest.mark.long
@given(st.text(st.characters()))
def test_any_subject_gives_a_document_that_a_terminal_cannot_obey(subject: str) -> None:
    document = DocumentReport().render(_clean(subject))

    assert json.loads(document)["headline"]
    assert not set(document) & set("\x1b\x7f\x9b\u202e\u2066")


def _clean(headline: str) -> Summary:
    """The smallest summary: everything empty, one hostile text."""
    nothing: dict[str, Any] = {"attempts": 0, "completed": 0, "ours": 0, "not_sent": 0}
    return msgspec.convert(
        {
            **nothing,
            "verdict": "clean",
            "headline": "?",
            "run": dict.fromkeys(("name", "file", "target", "profile", "started"), "")
            | {"clients": [], "duration_s": 0.0, "processes": 1, "seed": 0},
            "failures": {
                "count": 0,
                "share": 0.0,
                "interval": {"level": 0.95, "low": 0.0, "high": 1.0, "method": "none"},
                "categories": {headline: 1},
            },
            "causes": [],
            "unexplained": {"failures": 0, "likely": []},
            "chains": [],
            "addresses": [],
            "latency": {},
            "validity": {"valid": True, "reasons": [headline]},
            "assertions": [],
            "lines": dict.fromkeys(
                [
                    "verdict",
                    "where",
                    "what",
                    "who",
                    "fix",
                    "prove",
                    "seen",
                    "asked",
                    "whence",
                    "valid",
                ],
                headline,
            ),
        },
        Summary,
    )


def test_the_schema_names_every_field_that_the_document_has(summary: Summary) -> None:
    described = schema()
    fields = json.loads(DocumentReport().render(summary))

    assert described["$defs"]["Summary"]["properties"]["schema"] == {"const": fields["schema"]}
    assert set(described["$defs"]["Summary"]["properties"]) == set(fields)
    assert set(described["$defs"]["Cause"]["properties"]) == set(fields["causes"][0])
    assert described["$ref"] == "#/$defs/Summary"
    assert json.loads(json.dumps(described)) == described


def test_the_schema_that_is_shipped_is_the_one_of_the_code() -> None:
    shipped = resources.files("stress.report").joinpath("summary.schema.json").read_text()

    assert json.loads(shipped) == schema(), "run `make docs`"
