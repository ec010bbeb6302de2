"""Output options, and the one place that prints a summary.

Data goes to standard output, messages go to standard error. `--json` makes standard output exactly
one JSON document; `--quiet` leaves the headline, the reasons and the errors, on standard error.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stress.cli import console
from stress.cli.option_groups import Group
from stress.errors import ExitCode
from stress.model.summary import Answer, Summary
from stress.report import DocumentReport, Report, TerminalReport
from stress.report.forms import FORMS
from stress.runner.metrics import MetricsAddress
from stress.runner.observers import Display
from stress.runner.rejudge import AS_RECORDED, Rejudgement
from stress.runner.report_files import ReportFiles
from stress.text.escape import escape

if TYPE_CHECKING:
    from stress.planning import Request

OUTPUT = "Output"

EXIT_CODES = {
    Answer.CLEAN: ExitCode.CLEAN,
    Answer.FAILING: ExitCode.FAILING,
    Answer.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
    Answer.INVALID: ExitCode.INVALID,
    Answer.INTERRUPTED: ExitCode.INTERRUPTED,
}

Json = Annotated[
    bool,
    typer.Option("--json", help="Print the summary as one JSON document.", rich_help_panel=OUTPUT),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "-q",
        "--quiet",
        help="Print no progress and no report; headline, reasons and errors go to stderr.",
        rich_help_panel=OUTPUT,
    ),
]
Results = Annotated[
    Path | None,
    typer.Option(
        "--results",
        metavar="DIR",
        help="Directory of the run files. [default: results]",
        rich_help_panel=OUTPUT,
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="NAME",
        help="Name of the run. [default: HOST-UTC]",
        rich_help_panel=OUTPUT,
    ),
]
MetricsOption = Annotated[
    str | None,
    typer.Option(
        "--metrics",
        metavar="[ADDR:]PORT",
        help="Serve live Prometheus metrics during the run. [default address: 127.0.0.1]",
        rich_help_panel=OUTPUT,
    ),
]


@dataclass(frozen=True, slots=True)
class Output:
    """What is printed, written and served."""

    report: Report | None
    """What is printed to standard output; None: nothing."""
    quiet: bool
    files: ReportFiles = field(default_factory=ReportFiles)
    metrics: MetricsAddress | None = None
    """Where live metrics are served during a run."""

    def with_profile(self, request: Request, metrics: str | None) -> Output:
        """The same, with `--metrics`, and with what the profile sets and the command line does not.

        Raises:
            UsageError: the profile is bad, or names a port or a file that cannot be used.
        """
        from stress.planning import filled  # noqa: PLC0415 - heavy

        settings, _ = filled(request)
        in_profile = {form.name: getattr(settings, form.name) for form in FORMS}
        paths = {name: Path(path) for name, path in in_profile.items() if path}
        quiet = self.quiet or settings.quiet
        json = isinstance(self.report, DocumentReport) or settings.json
        address = metrics if metrics is not None else settings.metrics
        return Output(
            _printed(json=json, quiet=quiet),
            quiet,
            ReportFiles.of({**paths, **self.files.paths}),
            None if address is None else MetricsAddress.parse(address),
        )

    def display(self) -> Display:
        """How a run shows itself while it is running."""
        shown = Display(console.print_message, metrics=self.metrics)
        if self.quiet:
            return shown
        rewrites, width = console.can_rewrite(sys.stderr), console.width(sys.stderr)
        return replace(shown, stream=sys.stderr, rewrites=rewrites, width=width)

    def show(self, file: Path, settings: Rejudgement = AS_RECORDED) -> Summary:
        """Read a run file, print its report and write the report files.

        Raises:
            RunFileError: it is not a readable run file.
            UsageError: it cannot be re-evaluated with these settings.
            StressError: a report file could not be written.
        """
        from stress.store import open_run  # noqa: PLC0415 - heavy

        with open_run(file) as run:
            summary = settings.summarize(run)
            if self.quiet:
                for sentence in (summary.headline, *summary.validity.reasons):
                    console.print_message(escape(sentence))
            if self.report is not None:
                console.print_data(self.report.render(summary))
            self.files.write(summary, run)
        if not self.quiet:
            for name, path in self.files.paths.items():
                console.print_message(f"{name}: {path}")
        return summary


def _printed(*, json: bool, quiet: bool) -> Report | None:
    if json:
        return DocumentReport()
    if quiet:
        return None
    return TerminalReport(width=console.width(sys.stdout), colour=console.colour(sys.stdout))


def _with_form_options(build: Callable[..., Output]) -> Callable[..., Output]:
    """Give a function one option for each form of the report, in place of its `**files`."""
    json, quiet, _ = inspect.signature(build).parameters.values()
    options = [
        inspect.Parameter(
            form.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                Path | None,
                typer.Option(form.option, metavar="FILE", help=form.about, rich_help_panel=OUTPUT),
            ],
        )
        for form in FORMS
    ]
    build.__dict__["__signature__"] = inspect.Signature([json, *options, quiet])
    build.__annotations__ |= {option.name: option.annotation for option in options}
    return build


@_with_form_options
def output_of(*, json: Json = False, quiet: Quiet = False, **files: Path | None) -> Output:
    """What the options request.

    Raises:
        UsageError: a file cannot be written.
    """
    return Output(_printed(json=json, quiet=quiet), quiet, ReportFiles.of(files))


OutputOptions = Annotated[Output, Group(output_of)]
