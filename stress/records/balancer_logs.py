"""Read a balancer's own log: which backend each connection was given.

A line tells the client's address and port, a time and a backend. How it is written is data: one
TOML file for each format in `formats/`, with a regular expression and an example. A format that
lacks what is needed is there, too, so that its log can be refused with what to log instead.

A log may be large and is somebody else's text: lines are read a megabyte at a time, those that are
too long are left out, and only connections from ports that the run used are kept.

Imported late: it needs numpy.
"""

from __future__ import annotations

import gzip
import re
import tomllib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, Literal, cast

import numpy as np
from numpy.typing import NDArray

from stress.errors import UsageError
from stress.records.times import Times
from stress.text.escape import did_you_mean, printable, quoted

_AT_ONCE = 1 << 20
_LONGEST = 16_384
"""Bytes of a line; longer ones are no line of a balancer."""
_HEAD_BATCHES = 16
"""Megabytes in which the format is looked for."""
_GZIP = b"\x1f\x8b"
_NEEDED = ("port", "time", "backend")
_DIGITS = 9
_LEAST_UNPACKED, _MOST_RATIO = 20_000_000, 60
"""Bytes that a gzipped log may have, and how many times the file; logs pack to a tenth or less."""
_MOST_SECONDS = 100_000
"""Seconds that are remembered."""


@dataclass(frozen=True, slots=True)
class LogFormat:
    """How a balancer writes its log."""

    title: str
    pattern: str
    """Groups `client` (optional), `port`, `time` and `backend`."""
    stamp: Literal["start", "end"]
    """Whether the time is that of the connection's start or of its end."""
    example: str = ""
    add: tuple[str, ...] = ()
    """Lines of configuration that make the balancer write it."""
    lacks: str = ""
    """What is needed and not in it; empty: nothing."""

    def compiled(self) -> re.Pattern[bytes]:
        """The expression, for many lines at once."""
        return re.compile(self.pattern.encode(), re.MULTILINE)


@cache
def formats() -> dict[str, LogFormat]:
    """The formats that are known, by name."""
    found = {}
    for each in sorted(files("stress.records").joinpath("formats").iterdir(), key=lambda f: f.name):
        if each.name.endswith(".toml"):
            values = tomllib.loads(each.read_text("utf-8"))
            found[each.name[:-5]] = LogFormat(**values | {"add": tuple(values["add"])})
    return found


def chosen_format(word: str) -> LogFormat:
    """The format of this name, or one made of a regular expression.

    Raises:
        UsageError: it is neither.
    """
    known = formats()
    usable = [name for name, each in known.items() if not each.lacks]
    if word in known:
        return _sufficient(known[word], word)
    if "(" not in word:
        raise UsageError(
            f"--format {quoted(word)}: no such format",
            f"{did_you_mean(word, usable)}\nOr a regular expression with the named groups port,"
            " time, backend: '(?P<port>\\d+) … (?P<time>\\S+) … (?P<backend>\\S+)'",
        )
    try:
        groups = re.compile(word.encode(), re.MULTILINE).groupindex
    except re.error as error:
        raise UsageError(f"--format {quoted(word)}: {error}") from None
    missing = [name for name in _NEEDED if name not in groups]
    if missing:
        raise UsageError(
            f"--format: the expression has no group named {' or '.join(missing)}",
            "Name it: (?P<port>[0-9]+). Groups: port, time, backend and, if it is there, client.",
        )
    return LogFormat("the given expression", word, "start")


def recognised(paths: Sequence[Path]) -> LogFormat:
    """The format of some logs: the one that most lines have where a balancer's lines begin.

    Raises:
        UsageError: it is none that is known, or lacks what is needed.
    """
    known = {name: (each.compiled(), each) for name, each in formats().items()}
    first = b""
    for lines in islice(chain.from_iterable(map(_batches, paths)), _HEAD_BATCHES):
        if b"\0" in lines:
            raise UsageError(f"{paths[0]} is a binary file", "Give a text log, gzipped or not.")
        first = first or next((line for line in lines.split(b"\n") if line.strip()), b"")
        found = {name: len(pattern.findall(lines)) for name, (pattern, _) in known.items()}
        name = max(found, key=lambda name: (found[name], not known[name][1].lacks))
        if found[name]:
            return _sufficient(known[name][1], str(paths[0]))
    if not first:
        raise UsageError(f"{paths[0]} is empty", "Give the log of the balancer during the run.")
    expected = "\n".join(f"  {each.example}" for _, each in known.values() if not each.lacks)
    raise UsageError(
        f"{paths[0]} is in no known format; it begins with {_shown(first)}",
        f"Known are lines such as\n{expected}\nor give a regular expression with --format.",
    )


def _sufficient(form: LogFormat, what: str) -> LogFormat:
    if form.lacks:
        advice = ["Add to the configuration:", *(f"  {line}" for line in form.add)]
        raise UsageError(
            f"{what}: the format of {form.title} lacks {form.lacks}",
            "\n".join(advice) if form.add else "Give the targets' own logs instead.",
        )
    return form


@dataclass(slots=True)
class LogLines:
    """The connections of some logs, as columns of equal length."""

    time_ns: NDArray[np.int64]
    """Unix time, by the balancer's clock."""
    port: NDArray[np.int32]
    backend: NDArray[np.int32]
    """Index into `backends`."""
    client: NDArray[np.int32]
    """Index into `clients`."""
    backends: Sequence[str]
    clients: Sequence[str]
    read: int = 0
    """Lines in the files."""
    unknown: int = 0
    """Lines that the format does not match, or whose time is none."""
    first_unknown: str = ""


def read_logs(
    paths: Sequence[Path], form: LogFormat, ports: frozenset[int] | None, within_ns: range
) -> LogLines:
    """The connections in logs, in any order of files.

    Args:
        paths: text files, gzipped or not.
        form: how their lines are written.
        ports: which client ports are kept; None: all.
        within_ns: which times are kept, Unix nanoseconds.

    Raises:
        UsageError: a file cannot be read.
    """
    pattern = form.compiled()
    port_at, time_at, backend_at, client_at = (
        pattern.groupindex.get(name, 0) - 1 for name in (*_NEEDED, "client")
    )
    wanted = None if ports is None else {str(port).encode(): port for port in ports}
    backends: dict[bytes, int] = {}
    clients: dict[bytes, int] = {}
    times = _TimeReader()
    parts = [np.empty((0, 4), np.int64)]
    read = unknown = 0
    first_unknown = ""
    for lines in chain.from_iterable(map(_batches, paths)):
        matches, count = pattern.findall(lines), lines.count(b"\n")
        read += count
        if len(matches) < count:
            unknown += count - len(matches)
            others = (one for one in lines.split(b"\n") if one.strip() and not pattern.search(one))
            first_unknown = first_unknown or next(map(_shown, others), "")
        rows = []
        for match in matches:
            text = match[port_at]
            port = int(text[:9]) if wanted is None else wanted.get(text)
            if port is None:
                continue
            at = times.read(match[time_at])
            if at is None:
                unknown += 1
                first_unknown = first_unknown or f"{_shown(match[time_at])}, which is no time"
            elif at in within_ns:
                client = match[client_at] if client_at >= 0 else b""
                backend = backends.setdefault(match[backend_at], len(backends))
                rows.append((at, port, backend, clients.setdefault(client, len(clients))))
        if rows:
            parts.append(np.array(rows, np.int64))
    whole = np.concatenate(parts)
    return LogLines(
        time_ns=whole[:, 0].copy(),
        port=whole[:, 1].astype(np.int32),
        backend=whole[:, 2].astype(np.int32),
        client=whole[:, 3].astype(np.int32),
        backends=[name.decode(errors="backslashreplace") for name in backends],
        clients=[name.decode(errors="backslashreplace") for name in clients],
        read=read,
        unknown=unknown,
        first_unknown=first_unknown,
    )


class _TimeReader:
    """Reads times of one form; what comes before the fraction of the second is read once."""

    def __init__(self) -> None:
        self._times = Times()
        self._known: dict[tuple[bytes, bytes], int | None] = {}

    def read(self, text: bytes) -> int | None:
        """Unix nanoseconds; None: it is no time."""
        whole, _, rest = text.partition(b".")
        zone = rest.lstrip(b"0123456789")
        fraction = rest[: len(rest) - len(zone)]
        key = whole, zone
        if key not in self._known:
            if len(self._known) > _MOST_SECONDS:
                self._known.clear()
            self._known[key] = self._times.read((whole + zone).decode(errors="replace"))
        second = self._known[key]
        if second is None or not fraction:
            return second
        return second + int(fraction[:_DIGITS].ljust(_DIGITS, b"0"))


def _batches(path: Path) -> Iterator[bytes]:
    """Whole lines, about a megabyte at a time, without those that are too long."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == _GZIP
            file.seek(0)
            stream = cast("BinaryIO", gzip.GzipFile(fileobj=file)) if packed else file
            left = _LEAST_UNPACKED + _MOST_RATIO * path.stat().st_size
            rest = b""
            while chunk := _read(stream, path):
                left -= len(chunk)
                if left < 0:
                    raise UsageError(
                        f"{path} unpacks to far more than a log does", "Unpack it first."
                    )
                lines, newline, rest = (rest + chunk).rpartition(b"\n")
                if len(rest) > _AT_ONCE:
                    rest = rest[: _LONGEST + 1]  # enough to be known as too long
                if newline:
                    yield _short(lines + newline)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"cannot read the log {path}: {reason}") from error
    if rest:
        yield _short(rest + b"\n")


def _short(lines: bytes) -> bytes:
    """The lines, each that is too long replaced by a short one that no format matches."""
    split = lines.split(b"\n")
    if max(map(len, split)) <= _LONGEST:
        return lines
    return b"\n".join(line if len(line) <= _LONGEST else line[:80] + b"..." for line in split)


def _read(stream: BinaryIO, path: Path) -> bytes:
    try:
        return stream.read(_AT_ONCE)
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{path} cannot be unpacked to its end: {error}") from error


def _shown(line: bytes) -> str:
    return quoted(printable(line.decode(errors="backslashreplace"), 120))
