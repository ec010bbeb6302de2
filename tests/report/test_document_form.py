import pytest

from stress.model.summary import Summary
from stress.report.document import DocumentReport, Report
from stress.report.terminal import TerminalReport

FORMS: list[Report] = [TerminalReport(), DocumentReport()]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: type(form).__name__)
def test_every_form_renders_the_same_text_twice_and_ends_its_last_line(
    form: Report, summary: Summary
) -> None:
    document = form.render(summary)

    assert document == form.render(summary)
    assert document.endswith("\n")
    assert "\x1b" not in document
