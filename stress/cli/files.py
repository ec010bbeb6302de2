"""Reports into files: `--html`, `--junit`, `--openmetrics` and `--markdown`.

Each is checked before the first packet, so that a run of an hour is not followed by "no such
folder". A file appears whole or not at all (it is written beside its place and moved there), since
a collector may read it at any moment. What stood there is replaced, unless it is a run file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stress.errors import StressError, UsageError
from stress.model.summary import Summary
from stress.report import Report

if TYPE_CHECKING:
    from stress.store import RunFile

OUTPUT = "Output"
_RUN_FILE = b"SQLite format 3\x00"


def _option(name: str, about: str) -> object:
    return typer.Option(name, metavar="FILE", help=about, rich_help_panel=OUTPUT)


Html = Annotated[
    Path | None,
    _option("--html", "Also write the report as one HTML page that needs nothing else."),
]
Junit = Annotated[
    Path | None, _option("--junit", "Also write the result as JUnit XML, for a CI system.")
]
Openmetrics = Annotated[
    Path | None,
    _option("--openmetrics", "Also write the figures as OpenMetrics, for a file collector."),
]
Markdown = Annotated[
    Path | None, _option("--markdown", "Also write the report as Markdown, for a CI summary.")
]


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
