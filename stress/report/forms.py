"""Forms in which a report is written to a file, one line each.

A new form is a module of its own here, with a class that renders a `Summary` (`stress.report
.document.Report`), and a line in `FORMS`. Its option and its key in profiles are a field of
`stress.planning.request.Request`, like those of everything else that a run can be told.
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
    ReportForm("html", _page),
    ReportForm("junit", _class("junit", "JunitReport")),
    ReportForm("openmetrics", _class("openmetrics", "OpenMetricsReport")),
    ReportForm("markdown", _class("markdown", "MarkdownReport")),
)
FORM_BY_NAME = {form.name: form for form in FORMS}
