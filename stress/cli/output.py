"""Where the answer goes: the options of output, and the one place that prints a summary.

Data goes to standard output, talk to standard error. `--json` makes standard output exactly one
JSON document; `--quiet` leaves the headline, the reasons and the errors, on standard error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from stress.cli import console
from stress.cli.metrics import MetricsServer, Place
from stress.cli.observers import Watcher, Watching, live_view
from stress.cli.option_groups import Group
from stress.cli.options import option_of
from stress.errors import ExitCode, StressError, UsageError
from stress.model.plan import Plan
from stress.model.summary import Answer, Summary
from stress.planning.request import Request
from stress.report import DocumentReport, Manner, ProgressLine, Report, TerminalReport
from stress.text.escape import escape

# Reports into files: `--html`, `--junit`, `--openmetrics` and `--markdown`.
#
# Each is checked before the first packet, so that a run of an hour is not followed by "no such
# folder". A file appears whole or not at all (it is written beside its place and moved there),
# since a collector may read it at any moment. What stood there is replaced, unless it is a run
# file.

if TYPE_CHECKING:
    from stress.store import RunFile

_RUN_FILE = b"SQLite format 3\x00"


Html = Annotated[Path | None, option_of("html")]
Junit = Annotated[Path | None, option_of("junit")]
Openmetrics = Annotated[Path | None, option_of("openmetrics")]
Markdown = Annotated[Path | None, option_of("markdown")]


def _page(run: RunFile) -> Report:
    from stress.report.page import PageReport  # noqa: PLC0415 - heavy

    return PageReport(run, tuple(run.transcripts()))


def _junit(_: RunFile) -> Report:
    from stress.report.junit import JunitReport  # noqa: PLC0415 - rarely needed

    return JunitReport()


def _openmetrics(_: RunFile) -> Report:
    from stress.report.openmetrics import OpenMetricsReport  # noqa: PLC0415 - rarely needed

    return OpenMetricsReport()


def _markdown(_: RunFile) -> Report:
    from stress.report.markdown import MarkdownReport  # noqa: PLC0415 - rarely needed

    return MarkdownReport()


_FORMS: Mapping[str, Callable[[RunFile], Report]] = {
    "--html": _page,
    "--junit": _junit,
    "--openmetrics": _openmetrics,
    "--markdown": _markdown,
}
FORM_NAMES = tuple(option[2:] for option in _FORMS)
"""As a profile's keys name them."""


@dataclass(frozen=True, slots=True)
class Files:
    """Where each form that was asked for goes, by its option."""

    paths: Mapping[str, Path]

    @classmethod
    def of(cls, **wishes: Path | None) -> Files:
        """The files that were asked for, checked.

        Args:
            wishes: option without its dashes -> path, None where it was not given.

        Raises:
            UsageError: one cannot be written, or two are the same.
        """
        paths = {f"--{name}": path for name, path in wishes.items() if path is not None}
        taken: dict[Path, str] = {}
        for option, path in paths.items():
            _check(option, path)
            other = taken.setdefault(path.resolve(), option)
            if other != option and path.is_file() | (not path.exists()):
                raise UsageError(f"{other} and {option} name the same file, {path}")
        return cls(paths)

    def write(self, summary: Summary, run: RunFile) -> None:
        """Render and write each form.

        Raises:
            StressError: a file could not be written after all.
        """
        for option, path in self.paths.items():
            text = _FORMS[option](run).render(summary)
            try:
                _replace(path, text)
            except OSError as error:
                raise StressError(
                    f"{option}: could not write {path}: {error.strerror or error}",
                    "The run is safe in its file. Again, elsewhere: tls-stress report",
                ) from error


def _check(option: str, path: Path) -> None:
    """Whether the file could be written now.

    Raises:
        UsageError: it could not.
    """
    for reason in _obstacles(path):
        raise UsageError(f"{option} {path}: {reason}", "Choose another file.")


def _obstacles(path: Path) -> Iterator[str]:
    try:
        if path.is_dir():
            yield "that is a folder"
        elif not path.parent.is_dir():
            yield f"there is no folder {path.parent}"
        elif path.is_file() and _is_run_file(path):
            yield "that is a run file, which is never overwritten"
        elif not os.access(path if path.exists() else path.parent, os.W_OK):
            yield "no permission to write there"
    except OSError as error:  # such as a name that is too long
        yield error.strerror or str(error)


def _is_run_file(path: Path) -> bool:
    with suppress(OSError), path.open("rb") as stream:
        return stream.read(len(_RUN_FILE)) == _RUN_FILE
    return False


def _replace(path: Path, text: str) -> None:
    """Put the whole text there at once; a pipe or a device is simply written to."""
    content = text.encode("utf-8", "backslashreplace")
    place = path.resolve()
    if place.exists() and not place.is_file():
        place.write_bytes(content)
        return
    partial = place.with_name(f".{place.name[:200]}.{os.getpid()}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(place)
    finally:
        partial.unlink(missing_ok=True)


EXIT_CODES = {
    Answer.CLEAN: ExitCode.CLEAN,
    Answer.FAILING: ExitCode.FAILING,
    Answer.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
    Answer.INVALID: ExitCode.INVALID,
    Answer.INTERRUPTED: ExitCode.INTERRUPTED,
}

Json = Annotated[bool, option_of("json")]
Quiet = Annotated[bool, option_of("quiet")]
Results = Annotated[Path | None, option_of("results")]
Name = Annotated[str | None, option_of("name")]


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
        from stress.planning.profile import filled  # noqa: PLC0415 - heavy

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
            console.say(escape(summary.headline))
            for reason in summary.validity.reasons:
                console.say(escape(reason))
        if self.form is not None:
            console.put(self.form.render(summary))
        self.files.write(summary, run)
        for option, path in self.files.paths.items():
            if not self.quiet:
                console.say(f"{option[2:]}: {path}")

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
    from stress.analysis.proportions.sequence import confidence_sequence  # noqa: PLC0415 - scipy, heavy

    confidence_sequence(0, 1)  # loads scipy now, not while handshakes wait for the recorder
    if console.can_rewrite(sys.stderr):
        return live_view(plan, confidence_sequence)
    manner = Manner.LIVE if sys.stderr.isatty() else Manner.PLAIN
    width = console.width(sys.stderr)
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
    return TerminalReport(width=console.width(sys.stdout), colour=console.colour(sys.stdout))


OutputOptions = Annotated[Output, Group(output_of)]
