"""Forms in which a report is written to a file, from the options that are declared with a `form`.

A new form is a module of its own here, with a class that renders a `Summary` (see `stress.report
.document.Report`), and a field in `stress.planning.request.Request` that names this class.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from stress.model.summary import Summary
from stress.planning.request import options
from stress.report.document import Report

if TYPE_CHECKING:
    from stress.store import RunFile


@dataclass(frozen=True, slots=True)
class ReportForm:
    """One form of the report that goes to a file."""

    name: str
    """Its option without dashes, and its key in a profile."""
    path: str
    """Its class below `stress.report`."""

    @property
    def option(self) -> str:
        """Its option on the command line."""
        return f"--{self.name}"

    def render(self, summary: Summary, run: RunFile) -> str:
        """The whole document. Imports what it needs only now."""
        module, kind = self.path.split(".")
        create = getattr(import_module(f"stress.report.{module}"), kind)
        # The page shows evidence and single attempts; all others show the summary alone.
        report: Report = create(run, tuple(run.transcripts())) if module == "page" else create()
        return report.render(summary)


FORMS = {name: ReportForm(name, option.form) for name, option in options().items() if option.form}
"""By name, in the order of the options."""
