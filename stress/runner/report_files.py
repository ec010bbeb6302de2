"""Writes the report to files, in the forms that are declared as options (`--html`, `--junit` …).

A new form is a module in `stress.report` with a class that renders a `Summary` (`stress.report
.document.Report`), and a field in `stress.planning.request.Request` that names this class.

Each file is checked before the first packet, so that a run of an hour does not end with "no such
directory". A file appears whole or not at all, since a collector may read it at any moment. An
existing file is replaced, unless it is a run file.

Links are resolved once, before the run. Then nobody can plant one: a partial file has a name that
cannot be guessed and is created anew, and taking the name of the target replaces even a link.
JUnit, OpenMetrics and Markdown are for other programs and follow the umask; the page holds
evidence and is the user's alone, as a run file is. The summary of a GitHub job is one file for all
that a step writes into it, so there the report is appended.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from stress.errors import StressError, UsageError
from stress.model.run import RunWithTranscripts
from stress.model.summary import Summary
from stress.planning.request import FORMS
from stress.report.document import Report

_SQLITE = b"SQLite format 3\x00"


def render(form: str, summary: Summary, run: RunWithTranscripts) -> str:
    """The whole document in one form. Imports what it needs only now."""
    module, _, kind = FORMS[form].rpartition(".")
    create = getattr(import_module(f"stress.report.{module}"), kind)
    # The page shows evidence and single attempts; all others show the summary alone.
    report: Report = create(run, tuple(run.transcripts())) if form == "html" else create()
    return report.render(summary)


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """Where each requested form goes, by the name of the form."""

    paths: Mapping[str, Path] = field(default_factory=dict)
    """As the user named them."""
    targets: Mapping[str, Path] = field(default_factory=dict)
    """The same without links."""
    appended: Path | None = None
    """A file without links that keeps what it holds."""

    @classmethod
    def of(cls, paths: Mapping[str, Path], appended: Path | None = None) -> ReportFiles:
        """The requested files, checked.

        Args:
            paths: by the name of the form.
            appended: a file that keeps what it holds.

        Raises:
            UsageError: a file cannot be written, or two forms have the same file.
        """
        taken: dict[Path, str] = {}
        for name, path in paths.items():
            option = f"--{name}"
            if (obstacle := _obstacle(path)) is not None:
                raise UsageError(f"{option} {path}: {obstacle}", "Choose another file.")
            other = taken.setdefault(path.resolve(), option)
            if other != option and (path.is_file() or not path.exists()):
                raise UsageError(f"{other} and {option} name the same file, {path}")
        targets = {name: path.resolve() for name, path in paths.items()}
        return cls(paths, targets, appended and appended.resolve())

    def write(self, summary: Summary, run: RunWithTranscripts) -> None:
        """Render and write each form.

        Raises:
            StressError: a file could not be written after all.
        """
        for name, path in self.paths.items():
            target = self.targets[name]
            content = render(name, summary, run).encode("utf-8", "backslashreplace")
            try:
                if target == self.appended:
                    with target.open("ab") as stream:
                        stream.write(b"\n" + content if stream.tell() else content)
                elif target.exists() and not target.is_file():  # a pipe or a device
                    target.write_bytes(content)
                else:
                    _replace(target, content, mode=0o600 if name == "html" else 0o666)
            except OSError as error:
                raise StressError(
                    f"--{name}: could not write {path}: {error.strerror or error}",
                    "The run file is complete. To write elsewhere: tls-stress report",
                ) from error


def _replace(target: Path, content: bytes, mode: int) -> None:
    """Write a file and give it the name of the target, all at once.

    It is written in a folder that only we may enter, so nobody can plant a link under its name;
    that folder lies beside the target, for a file can be renamed only within its file system.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with TemporaryDirectory(dir=target.parent, prefix=".tls-stress-") as private:
        partial = Path(private, "partial")
        with open(os.open(partial, flags, mode), "wb") as stream:  # noqa: PTH123 - a descriptor
            stream.write(content)
        partial.replace(target)


def _obstacle(path: Path) -> str | None:
    """Why the file cannot be written now; None: it can."""
    head = b""
    with suppress(OSError):
        if path.is_file():
            with path.open("rb") as stream:
                head = stream.read(len(_SQLITE))
    try:
        if path.is_dir():
            return "that is a directory"
        if not path.parent.is_dir():
            return f"there is no directory {path.parent}"
        if head == _SQLITE:
            return "that is a run file, which is never overwritten"
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            return "no permission to write there"
    except OSError as error:  # such as a name that is too long
        return error.strerror or str(error)
    return None
