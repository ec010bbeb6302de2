"""Forms in which a report is written to a file, one line each.

A new form is a module of its own here, with a class that renders a `Summary` (`stress.report
.document.Report`), and a line in `FORMS`. The options of the command line, the keys of profiles and
the files that are written follow from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

from stress.model.summary import Summary
from stress.report.document import Report

if TYPE_CHECKING:
    from stress.store import RunFile


@dataclass(frozen=True, slots=True)
class ReportForm:
    """One form of the report that goes to a file."""

    name: str
    """Its option without dashes, and its key in a profile."""
    about: str
    """Help of the option."""
    create: Callable[[RunFile], Report]
    """Makes the report of a run; imports what it needs when it is called."""

    @property
    def option(self) -> str:
        """Its option on the command line."""
        return f"--{self.name}"

    def render(self, summary: Summary, run: RunFile) -> str:
        """The whole document."""
        return self.create(run).render(summary)


def _class(module: str, name: str) -> Callable[[RunFile], Report]:
    """A report that is made from the summary alone."""
    return lambda _: cast("Report", getattr(import_module(f"stress.report.{module}"), name)())


def _page(run: RunFile) -> Report:
    from stress.report.page import PageReport  # noqa: PLC0415 - heavy

    return PageReport(run, tuple(run.transcripts()))


FORMS = (
    ReportForm("html", "Also write the report as one self-contained HTML page.", _page),
    ReportForm(
        "junit",
        "Also write the result as JUnit XML, for a CI system.",
        _class("junit", "JunitReport"),
    ),
    ReportForm(
        "openmetrics",
        "Also write the figures as OpenMetrics, for a file collector.",
        _class("openmetrics", "OpenMetricsReport"),
    ),
    ReportForm(
        "markdown",
        "Also write the report as Markdown, for a CI summary.",
        _class("markdown", "MarkdownReport"),
    ),
)
FORM_BY_NAME = {form.name: form for form in FORMS}
