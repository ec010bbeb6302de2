"""Every form of the answer keeps the promises of `Report`."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stress.model.run import Run
from stress.model.summary import Answer, Summary, Unexplained, Validity
from stress.report.document import DocumentReport, Report
from stress.report.junit import JunitReport
from stress.report.markdown import MarkdownReport
from stress.report.openmetrics import OpenMetricsReport
from stress.report.page.page import PageReport
from stress.report.summary import summarize
from stress.report.terminal import TerminalReport

FORMS: dict[str, Callable[[Run], Report]] = {
    "terminal": lambda _: TerminalReport(),
    "json": lambda _: DocumentReport(),
    "markdown": lambda _: MarkdownReport(),
    "junit": lambda _: JunitReport(),
    "openmetrics": lambda _: OpenMetricsReport(),
    "page": PageReport,
}
HOSTILE = "<b>\x1b[2J\u202e\x00|`${{ x }}`</b>\ud800"
CHANGES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "hostile": {"headline": HOSTILE, "validity": Validity(valid=False, reasons=(HOSTILE,))},
    "empty": {
        "attempts": 0,
        "causes": (),
        "chains": (),
        "addresses": (),
        "latency": {},
        "assertions": (),
        "verdict": Answer.INVALID,
    },
    "unexplained": {"causes": (), "unexplained": Unexplained(7)},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=list(CHANGES))
@pytest.mark.parametrize("make", FORMS.values(), ids=list(FORMS))
def test_every_form_renders_the_same_text_twice_without_control_characters(
    make: Callable[[Run], Report], changes: dict[str, Any], leaf_alone: Run
) -> None:
    summary = replace(summarize(leaf_alone), **changes)
    document = make(leaf_alone).render(summary)

    assert document == make(leaf_alone).render(summary)
    assert document.endswith("\n")
    assert not set(document) & set("\x1b\x00\u202e")
    document.encode()


@pytest.mark.parametrize("make", FORMS.values(), ids=list(FORMS))
def test_every_form_names_the_target_or_the_verdict(
    make: Callable[[Run], Report], leaf_alone: Run
) -> None:
    summary: Summary = summarize(leaf_alone)
    document = make(leaf_alone).render(summary)

    assert summary.verdict.value in document
    assert "incomplete-chain" in document
