"""The results folder: names for new runs, and the way from a name to a run file."""

from __future__ import annotations

import os
import re
import sqlite3
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import count
from pathlib import Path

from stress.errors import RunFileError, UsageError

_SUFFIX = ".db"
_LONGEST_HOST = 100
_NEAREST = 3


def default_name(host: str, utc: datetime) -> str:
    """HOST-UTC, safe as the name of a file, such as `example.com-20261031T101500Z`."""
    safe = re.sub(r"[^A-Za-z0-9.-]+", "-", host)[:_LONGEST_HOST].strip(".-")
    return f"{safe or 'run'}-{utc.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def reserve(folder: Path, name: str) -> Path:
    """An empty file `folder/name.db` that belongs to the caller alone.

    A taken name gets `-2`, `-3` and so on. Two runs that ask at once get two names. The folder is
    made if it is missing and its parent exists.

    Raises:
        UsageError: the name would leave the folder or cannot be a file's, or the folder cannot be
            made or written to.
    """
    stem = _checked(name)
    _make(folder)
    for number in count(1):
        path = folder / f"{stem}{'' if number == 1 else f'-{number}'}{_SUFFIX}"
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            continue
        except OSError as error:
            raise UsageError(
                f"cannot write to the results folder {folder}: {_reason(error)}",
                "choose another with --results DIR",
            ) from error
        return path
    raise AssertionError("counting does not end")


def locate(run: str | None, folder: Path) -> Path:
    """The file of a run.

    Args:
        run: a path, a name in the results folder, or None for the latest run.
        folder: the results folder.

    Raises:
        RunFileError: there is no such run; the hint has the nearest names.
    """
    if run is None:
        return _latest(folder)
    for path in _candidates(run, folder):
        if _exists(path):
            return path
    names = sorted(path.stem for path in _files(folder))
    nearest = get_close_matches(run.removesuffix(_SUFFIX), names, n=_NEAREST, cutoff=0.4)
    hint = f"did you mean {', '.join(nearest)}?" if nearest else f"{folder} has {_listed(names)}"
    raise RunFileError(f"there is no run {run!r}", hint)


def _listed(names: Sequence[str]) -> str:
    """Some of the names, and how many there are besides."""
    more = len(names) - _NEAREST
    told = ", ".join(names[:_NEAREST]) or "no runs yet"
    return f"{told} and {more} more" if more > 0 else told


def _candidates(run: str, folder: Path) -> Iterator[Path]:
    """Where a run of this name may be; a plain name is looked for in the results folder first."""
    if not run:
        return
    plain = os.sep not in run
    if plain:
        yield folder / f"{run.removesuffix(_SUFFIX)}{_SUFFIX}"
    yield Path(run)
    if not plain:
        yield Path(run + _SUFFIX)


def _latest(folder: Path) -> Path:
    """The run that started last."""
    paths = list(_files(folder))
    if not paths:
        raise RunFileError(f"there is no run in {folder} yet", "make one with `tls-stress run`")
    return max(paths, key=lambda path: (_started_ns(path), path.name))


def _files(folder: Path) -> Iterator[Path]:
    """The run files of a folder; an empty one is only reserved."""
    try:
        paths = sorted(folder.glob(f"*{_SUFFIX}"))
    except OSError:
        return
    for path in paths:
        try:
            if path.is_file() and path.stat().st_size:
                yield path
        except OSError:
            continue


def _started_ns(path: Path) -> int:
    """When a run started: written before anything else, so it can be read beside a live writer.

    0 for what is no run file: it is never the latest while there is a run.
    """
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)
        try:
            sql = "SELECT value FROM meta WHERE key = 'started_ns'"
            return int(connection.execute(sql).fetchone()[0])
        finally:
            connection.close()
    except (sqlite3.Error, TypeError, ValueError):
        return 0


def _checked(name: str) -> str:
    stem = name.removesuffix(_SUFFIX)
    unsafe = any(unicodedata.category(mark).startswith("C") for mark in stem)
    if unsafe or any(mark in stem for mark in "/\\:") or stem.startswith((".", "-")) or not stem:
        raise UsageError(
            f"{name!r} cannot be the name of a run",
            "use letters, digits, dots and dashes, beginning with a letter or a digit",
        )
    return stem


def _make(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except FileNotFoundError:
        raise UsageError(
            f"cannot make the results folder {folder}: {folder.parent} does not exist",
            "make its parent first, or choose another with --results DIR",
        ) from None
    except (OSError, ValueError) as error:
        raise UsageError(
            f"cannot make the results folder {folder}: {_reason(error)}",
            "choose another with --results DIR",
        ) from error


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()
