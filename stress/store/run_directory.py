"""The results directory: reserve a name for a new run, and find the file of a run."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import count
from pathlib import Path

from stress.errors import RunFileError, UsageError
from stress.store.opening import LOGS, connect, reading

_SUFFIX = ".db"
_LONGEST_HOST = 100
_NEAREST = 3


def default_name(host: str, utc: datetime) -> str:
    """HOST-UTC, safe as the name of a file, such as `example.com-20261031T101500Z`."""
    safe = re.sub(r"[^A-Za-z0-9.-]+", "-", host)[:_LONGEST_HOST].strip(".-")
    return f"{safe or 'run'}-{utc.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def reserve(folder: Path, name: str) -> Path:
    """An empty file `folder/name.db` that belongs to the caller alone.

    A taken name gets `-2`, `-3` and so on; two runs that reserve at once get two names. The folder
    is made if it is missing and its parent exists.

    Raises:
        UsageError: the name would leave the folder or cannot be a file's, or the folder cannot be
            made or written to.
    """
    stem = name.removesuffix(_SUFFIX)
    unsafe = any(unicodedata.category(mark).startswith("C") or mark in "/\\:" for mark in stem)
    if unsafe or stem.startswith((".", "-")) or not stem:
        raise UsageError(
            f"{name!r} cannot be the name of a run",
            "use letters, digits, dots and dashes, beginning with a letter or a digit",
        )
    action = "make"
    try:
        folder.mkdir(exist_ok=True)
        action = "write to"
        for number in count(1):
            path = folder / f"{stem}{'' if number == 1 else f'-{number}'}{_SUFFIX}"
            # SQLite would follow a link, or take for its own what lies beside the file.
            if any(os.path.lexists(f"{path}{log}") for log in LOGS):
                continue
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
                return path
    except FileNotFoundError:
        raise UsageError(
            f"cannot make the results directory {folder}: {folder.parent} does not exist",
            "make its parent first, or choose another with --results DIR",
        ) from None
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise UsageError(
            f"cannot {action} the results directory {folder}: {reason}",
            "choose another with --results DIR",
        ) from error
    raise AssertionError("counting does not end")


def locate(run: str | None, folder: Path) -> Path:
    """The file of a run.

    Args:
        run: a path, a name in the results directory or the current one, or None for the latest run.
        folder: the results directory.

    Raises:
        RunFileError: there is no such run; the hint has the nearest names.
    """
    if run is None:
        paths = run_files(folder)
        if not paths:
            raise RunFileError(f"there is no run in {folder} yet", "make one with `tls-stress run`")
        return max(paths, key=lambda path: (_started_ns(path), path.name))
    if os.sep in run:
        candidates = [Path(run), Path(run + _SUFFIX)]
    else:  # a plain name is looked for in the results directory first, then here
        file = f"{run.removesuffix(_SUFFIX)}{_SUFFIX}"
        candidates = [folder / file, Path(run), Path(file)] if run else []
    for path in candidates:
        with suppress(OSError, ValueError):
            if path.exists():
                return path
    names = sorted(path.stem for path in run_files(folder))
    nearest = get_close_matches(run.removesuffix(_SUFFIX), names, n=_NEAREST, cutoff=0.4)
    more = len(names) - _NEAREST
    listed = ", ".join(names[:_NEAREST]) or "no runs yet"
    listed += f" and {more} more" if more > 0 else ""
    hint = f"did you mean {', '.join(nearest)}?" if nearest else f"{folder} has {listed}"
    raise RunFileError(f"there is no run {run!r}", hint)


def run_files(folder: Path) -> Sequence[Path]:
    """The run files of a folder; an empty one is only reserved."""
    paths = []
    with suppress(OSError):
        for path in sorted(folder.glob(f"*{_SUFFIX}")):
            with suppress(OSError):
                if path.is_file() and path.stat().st_size:
                    paths.append(path)
    return paths


def _started_ns(path: Path) -> int:
    """When a run started: written before anything else, so it can be read beside a live writer.

    0 for what is not a run file: it is never the latest while there is a run.
    """
    try:
        with reading(path), closing(connect(path, recover=False)) as connection:
            sql = "SELECT value FROM meta WHERE key = 'started_ns'"
            return int(connection.execute(sql).fetchone()[0])
    except RunFileError:
        return 0
