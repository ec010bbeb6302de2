"""Where the answer goes: the options of output, and the one place that prints a summary.

Data goes to standard output, talk to standard error. `--json` makes standard output exactly one
JSON document; `--quiet` leaves the headline, the reasons and the errors, on standard error.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stress.cli import streams
from stress.cli.files import FORM_NAMES, Files, Html, Junit, Markdown, Openmetrics
from stress.cli.group import Group
from stress.cli.metrics import MetricsServer, Place
from stress.cli.watching import Watcher, Watching, live_view
from stress.errors import ExitCode
from stress.model.plan import Plan
from stress.model.summary import Answer, Summary
from stress.report import DocumentReport, Manner, ProgressLine, Report, TerminalReport
from stress.report.hostile import escape

if TYPE_CHECKING:
    from stress.planning import Request
    from stress.store import RunFile

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
        help="No progress and no report; headline, reasons and errors go to stderr.",
        rich_help_panel=OUTPUT,
    ),
]
Results = Annotated[
    Path | None,
    typer.Option(
        "--results",
        metavar="DIR",
        help="Folder of the run files. [default: results]",
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


@dataclass(frozen=True, slots=True)
class Output:
    """How the user wants to be told."""

    form: Report | None
    """What goes to standard output; None: nothing."""
    quiet: bool

    files: Files = field(default_factory=lambda: Files({}))
    """What is written beside it."""
    metrics: Place | None = None
    """Where the run's figures are served while it goes on."""

    def serving(self, words: str | None) -> Output:
        """The same, with metrics served where `--metrics` says.

        Raises:
            UsageError: it names no port.
        """
        return self if words is None else replace(self, metrics=Place.parse(words))

    def filled(self, request: Request) -> Output:
        """The same, with what a profile asks for and the command line did not.

        Raises:
            UsageError: the profile is bad, or names no port or a file that could not be written.
        """
        from stress.planning import filled  # noqa: PLC0415 - heavy

        words, _ = filled(request)
        named = {option[2:]: path for option, path in self.files.paths.items()}
        asked = {name: path for name in FORM_NAMES if (path := getattr(words, name))}
        files = {name: Path(path) for name, path in asked.items()} | named
        quiet = self.quiet or words.quiet
        json = isinstance(self.form, DocumentReport) or words.json
        served = self if self.metrics else self.serving(words.metrics)
        return replace(
            served, form=_form(json=json, quiet=quiet), quiet=quiet, files=Files.of(**files)
        )

    def show(self, summary: Summary, run: RunFile) -> None:
        """Print the answer, then write the files.

        Raises:
            StressError: one could not be written.
        """
        if self.quiet:
            streams.say(escape(summary.headline))
            for reason in summary.validity.reasons:
                streams.say(escape(reason))
        if self.form is not None:
            streams.put(self.form.render(summary))
        self.files.write(summary, run)
        for option, path in self.files.paths.items():
            if not self.quiet:
                streams.say(f"{option[2:]}: {path}")

    def watching(self, plan: Plan) -> Watching:
        """All who watch the run: the view or the progress line, and the metrics.

        Raises:
            UsageError: the metrics cannot be served where they should.
        """
        watchers: list[Watcher] = []
        if self.metrics is not None:
            watchers.append(MetricsServer(self.metrics, str(plan.target)))
        if not self.quiet:
            watchers.append(_progress(plan))
        return Watching(watchers)


def _progress(plan: Plan) -> Watcher:
    """The live view on a terminal that can rewrite itself, else lines of text."""
    from stress.analysis.share.sequence import confidence_sequence  # noqa: PLC0415 - scipy, heavy

    confidence_sequence(0, 1)  # loads scipy now, not while handshakes wait for the recorder
    if streams.can_rewrite(sys.stderr):
        return live_view(plan, confidence_sequence)
    manner = Manner.LIVE if sys.stderr.isatty() else Manner.PLAIN
    width = streams.width(sys.stderr)
    return ProgressLine(sys.stderr, confidence_sequence, manner, width=width)


def output_of(
    *,
    json: Json = False,
    html: Html = None,
    junit: Junit = None,
    openmetrics: Openmetrics = None,
    markdown: Markdown = None,
    quiet: Quiet = False,
) -> Output:
    """What the words ask for.

    Raises:
        UsageError: a file could not be written.
    """
    files = Files.of(html=html, junit=junit, openmetrics=openmetrics, markdown=markdown)
    return Output(_form(json=json, quiet=quiet), quiet, files)


def _form(*, json: bool, quiet: bool) -> Report | None:
    if json:
        return DocumentReport()
    if quiet:
        return None
    return TerminalReport(width=streams.width(sys.stdout), colour=streams.colour(sys.stdout))


OutputOptions = Annotated[Output, Group(output_of)]
