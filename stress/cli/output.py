"""Output options, and the one place that prints a summary.

Data goes to standard output, messages go to standard error. `--json` makes standard output exactly
one JSON document; `--quiet` leaves the headline, the reasons and the errors, on standard error.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from stress.cli import console
from stress.cli.options import option_of
from stress.errors import ExitCode, UsageError
from stress.model.run import RunWithTranscripts
from stress.model.summary import Answer, Summary
from stress.planning.request import FORMS, Request
from stress.report.document import DocumentReport, Report
from stress.report.terminal import TerminalReport
from stress.runner.judge import AS_RECORDED, Rejudgement
from stress.runner.metrics import MetricsAddress
from stress.runner.observers import BusySign, Display
from stress.runner.report_files import ReportFiles, render
from stress.text.escape import escape

EXIT_CODES = {
    Answer.CLEAN: ExitCode.CLEAN,
    Answer.FAILING: ExitCode.FAILING,
    Answer.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
    Answer.INVALID: ExitCode.INVALID,
    Answer.INTERRUPTED: ExitCode.INTERRUPTED,
}

STDOUT = "-"
"""In the place of a file."""
Results = Annotated[Path | None, option_of("results")]


@dataclass(frozen=True, slots=True)
class Output:
    """What is printed, written and served."""

    report: Report | None
    """What is printed to standard output; None: nothing."""
    quiet: bool
    files: ReportFiles = field(default_factory=ReportFiles)
    printed: str = ""
    """The form that is printed to standard output instead of the report (`--junit -`)."""
    metrics: MetricsAddress | None = None
    """Where live metrics are served during a run."""

    @classmethod
    def of(cls, settings: Request) -> Output:
        """The output that a command line and its profile request.

        Raises:
            UsageError: they name a port or a file that cannot be used, or print two documents.
        """
        paths = {name: path for name in FORMS if (path := getattr(settings, name))}
        documents = [name for name, path in paths.items() if path == STDOUT]
        documents += ["json"] if settings.json else []
        if len(documents) > 1:
            raise UsageError(
                f"--{documents[0]} and --{documents[1]} both print to standard output",
                "Write one of them to a file.",
            )
        report: Report | None = None
        if settings.json:
            report = DocumentReport()
        elif not settings.quiet and not documents:
            width, colour = console.width(sys.stdout), console.colour(sys.stdout)
            report = TerminalReport(width=width, colour=colour)
        step = os.environ.get("GITHUB_STEP_SUMMARY")
        return cls(
            report,
            settings.quiet,
            ReportFiles.of(
                {name: Path(path) for name, path in paths.items() if path != STDOUT},
                Path(step) if step else None,
            ),
            "" if settings.json else "".join(documents),
            None if settings.metrics is None else MetricsAddress.parse(settings.metrics),
        )

    def display(self) -> Display:
        """How a run shows itself while it is running."""
        shown = Display(console.print_message, metrics=self.metrics)
        if self.quiet:
            return shown
        rewrites, width = console.can_rewrite(sys.stderr), console.width(sys.stderr)
        return replace(shown, stream=sys.stderr, rewrites=rewrites, width=width)

    def busy(self, what: str) -> BusySign:
        """A sign of what is being done; none with `--quiet` and with `--json`."""
        return console.busy(what, silent=self.quiet or isinstance(self.report, DocumentReport))

    def show(
        self,
        file: Path,
        settings: Rejudgement = AS_RECORDED,
        *,
        made_now: bool = False,
        share: bool = False,
    ) -> Summary:
        """Read a run file, print its report and write the report files.

        Args:
            file: the run file.
            settings: by which it is judged.
            made_now: this command line made the run.
            share: leave out what is private.

        Raises:
            RunFileError: it is not a readable run file.
            UsageError: it cannot be re-evaluated with these settings.
            StressError: a report file could not be written.
        """
        with ExitStack() as stack:
            with self.busy("making the report"):
                from stress.store import open_run

                opened = stack.enter_context(open_run(file, made_now=made_now))
                run: RunWithTranscripts = opened
                if share:
                    from stress.evidence.redaction import SharedRun

                    run = SharedRun.of(opened)
                summary = settings.summarize(run)
            if self.quiet:
                for sentence in (summary.headline, *summary.validity.reasons):
                    console.print_message(escape(sentence))
            if self.report is not None:
                console.print_data(self.report.render(summary))
            if self.printed:
                console.print_data(render(self.printed, summary, run))
            with self.busy(f"writing {', '.join(self.files.paths)}"):
                self.files.write(summary, run)
        if not self.quiet:
            for name, path in self.files.paths.items():
                console.print_message(f"{name}: {path}")
        return summary
