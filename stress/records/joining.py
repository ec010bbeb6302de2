"""Which line of a balancer's log is which attempt of a run: by port and time, or by time alone.

The two clocks differ, by milliseconds, seconds or a forgotten time zone. By how much is found
first: in the pairs of an attempt and a line with the same client port, the true pairs all have the
same difference, and the others any. So the densest stretch of differences is the offset of the
clocks, and what does not stand out is no match at all. Then each attempt takes the nearest line
within a few times the spread that was seen, or, up to a second, while it lasted: a kernel opens
connections long before a busy balancer accepts them and notes the time, and the port was taken.
Where two lines of different backends are about as near, or two attempts want one line, nothing is
taken: it is counted as ambiguous.

A NAT on the way changes the ports. Then times alone are compared: starts are random within each
second (docs/decisions/0011-arrivals.md), so the pattern of their gaps fits the log at one offset
only. What is found this way is a suggestion.

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
from stress.text.numbers import counted

_SECOND, _MILLISECOND = 1_000_000_000, 1_000_000
_SAMPLE = 5_000
"""Attempts from which the offset is estimated."""
_MOST_PAIRS = 5_000_000
_WIDTHS_NS = (2 * _MILLISECOND, 50 * _MILLISECOND, 2 * _SECOND)
"""Of the stretch in which the right differences lie; the widest for times in whole seconds."""
_STANDS_OUT = 3
"""How many times more pairs the right stretch of differences has than any other."""
_FEWEST = 0.05
"""Part of the attempts that must be in the log; fewer meet in some stretch by chance."""
_NEARLY_ALL = 0.8
"""Where ports come again and again, other offsets fit well, and only the right one fits all."""
_NEAR_NS = 5 * _SECOND
"""Clocks that are kept differ by less; one or two pairs are believed only then."""
_LEAST_NS = 5_000_000
"""Least tolerance; the kernel may hand over a connection late."""
_NEARER = 4
"""How many times nearer than one of another backend the nearest line must be, or usually is."""
_MOST_CLIENTS = 8
_BIN_NS = 5_000_000
_MOST_BINS = 1 << 21
"""Of the times of a run and a log; where there would be more, they are wider."""
_RIVAL = 0.9
"""Offsets at which about as many attempts fit as at the best one make that one a guess."""


@dataclass(frozen=True, slots=True)
class Joined:
    """What became of each attempt."""

    backend: NDArray[np.int32]
    """By attempt: index into `LogLines.backends`; -1: none was found."""
    ambiguous: NDArray[np.bool_]
    """By attempt: more than one line could be it."""
    offset_ns: int
    """How far the balancer's clock is ahead of ours."""
    spread_ns: int
    """Within which 95% of the joined differ from that."""


def by_port(
    at_ns: NDArray[np.int64],
    ports: NDArray[np.int32],
    lines: LogLines,
    lifetimes_ns: NDArray[np.int64] | None = None,
) -> Joined:
    """Join attempts with lines of the same client port.

    Args:
        at_ns: when each attempt started, or ended, as the log's stamp is; Unix time.
        ports: the local port of each attempt.
        lines: of the log.
        lifetimes_ns: two rows, when each attempt started and when it ended; None: not known.

    Raises:
        UsageError: no offset of the clocks explains the log.
    """
    order = _order(lines)
    port, times = lines.port[order], lines.time_ns[order]
    sample = np.unique(np.linspace(0, len(at_ns) - 1, min(len(at_ns), _SAMPLE)).astype(np.int64))
    first = np.searchsorted(port, ports[sample], "left")
    counts = np.searchsorted(port, ports[sample], "right") - first
    keep = np.cumsum(counts) <= _MOST_PAIRS
    sample, first, counts = sample[keep], first[keep], counts[keep]
    pair = _pairs(first, counts)
    differences = times[pair] - np.repeat(at_ns[sample], counts)
    mine = np.lexsort((at_ns, ports))
    gaps = np.diff(at_ns[mine])[np.diff(ports[mine]) == 0]
    # A stretch must not hold two uses of one port.
    longest = int(np.quantile(gaps, 0.05)) // 2 if len(gaps) else max(_WIDTHS_NS)
    offset_ns, fitting = _offset(differences, len(sample), longest)
    clients = np.bincount(lines.client[order][pair][fitting], minlength=len(lines.clients))
    ours = (clients * 5 >= clients.max())[lines.client[order]]
    mine = np.stack([at_ns, at_ns]) if lifetimes_ns is None else lifetimes_ns
    return _nearest(
        at_ns + offset_ns,
        mine + offset_ns,
        ports,
        times[ours],
        port[ours],
        lines.backend[order][ours],
        offset_ns,
    )


def _pairs(first: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The places of the lines of each attempt: so many, from the first of its own on."""
    begin = np.cumsum(counts) - counts
    pairs: NDArray[np.int64] = np.arange(counts.sum()) + np.repeat(first - begin, counts)
    return pairs


def _order(lines: LogLines) -> NDArray[np.int64]:
    """The places of the lines by port and time; of a line that is in two files only the first."""
    order = np.lexsort((lines.backend, lines.time_ns, lines.port))
    columns = (lines.time_ns, lines.port, lines.backend, lines.client)
    new = np.ones(len(order), bool)
    new[1:] = np.any([np.diff(column[order]) != 0 for column in columns], axis=0)
    return order[new]


def _offset(
    differences: NDArray[np.int64], sampled: int, longest: int
) -> tuple[int, NDArray[np.bool_]]:
    """The offset of the clocks, and which of the pairs have it."""
    if not len(differences):
        raise UsageError(
            "none of the run's connections is in the log: no line has one of its ports and times",
            "Is it the log of this balancer, and of that time? Behind a NAT: add --nat.",
        )
    ordered = np.sort(differences)
    most = 0
    for width in (width for width in _WIDTHS_NS if width <= longest):
        reach = np.searchsorted(ordered, ordered + width, "right") - np.arange(len(ordered))
        most = int(reach.max())
        # Of equally dense stretches the one nearest to no offset at all.
        best = min(np.flatnonzero(reach == most), key=lambda place: abs(int(ordered[place])))
        begin, middle = int(ordered[best]), int(np.median(ordered[best : best + most]))
        elsewhere = (ordered < begin - width) | (ordered > begin + width)
        rival = int(reach[elsewhere].max(initial=0))
        alone = most >= _STANDS_OUT * rival or (
            most >= _NEARLY_ALL * sampled and rival <= _RIVAL * most
        )
        enough = most >= max(_STANDS_OUT, _FEWEST * sampled)
        if alone and (enough or (sampled < _STANDS_OUT and abs(middle) < _NEAR_NS)):
            return middle, np.abs(differences - middle) <= width
    raise UsageError(
        f"the log does not fit the run: at no offset of the clocks are more than "
        f"{most} of {counted(sampled, 'attempt')} in it",
        "Is it the log of this balancer, and of that time? Behind a NAT: add --nat.",
    )


def by_time(at_ns: NDArray[np.int64], lines: LogLines) -> Joined:
    """Join attempts with the lines of the one client whose times have the run's pattern.

    Raises:
        UsageError: no client's times have it, or at more than one offset.
    """
    best: tuple[int, int, int, NDArray[np.int64]] | None = None
    begin, end = int(at_ns.min()), int(at_ns.max())
    order = _order(lines)
    counts = np.bincount(lines.client[order], minlength=len(lines.clients))
    for client in np.argsort(-counts)[: min(_MOST_CLIENTS, np.count_nonzero(counts))].tolist():
        theirs = order[lines.client[order] == client]
        times = lines.time_ns[theirs]
        first, last = min(begin, int(times.min())), max(end, int(times.max()))
        width = max(_BIN_NS, -(-(last - first) // _MOST_BINS))
        size = 2 * ((last - first) // width + 1)
        ours, log = (np.bincount((one - first) // width, minlength=size) for one in (at_ns, times))
        fits = np.fft.irfft(np.fft.rfft(log) * np.conj(np.fft.rfft(ours)), size)
        place = int(fits.argmax())
        fitting = round(float(fits[place]))
        around = np.arange(place - 2, place + 3) % size
        fits[around] = 0
        if fits.max() > _RIVAL * fitting:
            continue
        shift = place if place < size // 2 else place - size
        if best is None or fitting > best[0]:
            best = fitting, shift * width, width, theirs
    if best is None or best[0] * 2 < len(at_ns):
        raise UsageError(
            "the times of no client in the log have the pattern of the run",
            "Is it the log of this balancer, and of that time? Without a NAT: leave out --nat.",
        )
    _, offset_ns, width, theirs = best
    theirs = theirs[np.argsort(lines.time_ns[theirs], kind="stable")]
    times, backend = lines.time_ns[theirs], lines.backend[theirs]
    # Now to the millisecond: the densest one among all differences close to that.
    from_ = np.searchsorted(times, at_ns + (offset_ns - 2 * width))
    near = np.searchsorted(times, at_ns + (offset_ns + 3 * width)) - from_
    close = np.sort(times[_pairs(from_, near)] - np.repeat(at_ns, near))
    reach = np.searchsorted(close, close + _MILLISECOND, "right") - np.arange(len(close))
    densest = int(reach.argmax())
    offset_ns = int(np.median(close[densest : densest + int(reach.max())]))
    none = np.zeros(len(at_ns), np.int32)
    expected_ns = at_ns + offset_ns
    return _nearest(
        expected_ns,
        np.stack([expected_ns, expected_ns]),  # others had connections meanwhile, too
        none,
        times,
        np.zeros(len(times), np.int32),
        backend,
        offset_ns,
    )


def _nearest(
    expected_ns: NDArray[np.int64],
    lifetimes_ns: NDArray[np.int64],
    ports: NDArray[np.int32],
    times: NDArray[np.int64],
    port: NDArray[np.int32],
    backend: NDArray[np.int32],
    offset_ns: int,
) -> Joined:
    """For each attempt the nearest line of its port; lines are ordered by port and time."""
    begin = min(int(times.min()), int(expected_ns.min()))
    # Microseconds in the low bits: enough for four years.
    key = (port.astype(np.int64) << 47) | ((times - begin) // 1000)
    place = np.searchsorted(key, (ports.astype(np.int64) << 47) | ((expected_ns - begin) // 1000))
    never = np.int64(1) << 62
    far = np.full((2, len(expected_ns)), never)
    lines = np.stack([place - 1, place])
    for side, found in zip(far, lines, strict=True):
        there = (found >= 0) & (found < len(times))
        there[there] &= port[found[there]] == ports[there]
        side[there] = np.abs(times[found[there]] - expected_ns[there])
    nearest = far.argmin(axis=0)
    each = np.arange(len(expected_ns))
    distance, chosen = far[nearest, each], lines[nearest, each]
    seen = distance[distance <= _SECOND]
    spread = int(np.quantile(seen, 0.95)) if len(seen) else 0
    tolerance = min(_SECOND, max(_LEAST_NS, 4 * spread))
    stamp = times[np.clip(lines, 0, len(times) - 1)]
    begin_ns, end_ns = lifetimes_ns
    fits = (far <= tolerance) | ((far <= _SECOND) & (begin_ns <= stamp) & (stamp <= end_ns))
    # Of the two only the one that fits, else the nearer.
    nearest = np.where(fits[0] == fits[1], nearest, fits.argmax(axis=0))
    distance, chosen, matched = far[nearest, each], lines[nearest, each], fits[nearest, each]
    other, rival = far[1 - nearest, each], np.clip(lines[1 - nearest, each], 0, len(times) - 1)
    unclear = matched & fits[1 - nearest, each]
    unclear &= other <= _NEARER * np.maximum(distance, spread)
    unclear &= backend[rival] != backend[np.clip(chosen, 0, len(times) - 1)]
    # A line is one connection: of two attempts that want it, one that is far nearer gets it.
    order = np.lexsort((distance, chosen))
    contested = (np.diff(chosen[order]) == 0) & matched[order][1:]
    near = distance[order][1:] <= _NEARER * np.maximum(distance[order][:-1], spread)
    unclear[order[1:][contested]] = True
    unclear[order[:-1][contested & near]] = True
    result = np.full(len(each), -1, np.int32)
    taken = matched & ~unclear
    result[taken] = backend[chosen[taken]]
    return Joined(result, unclear, offset_ns, spread)


# The log: a line tells the client's address and port, a time and a backend. How it is written is
# data: one TOML file for each format in `formats/`, with a regular expression and an example. A
# format that lacks what is needed is there, too, so that its log can be refused with what to log
# instead.
#
# A log may be large and is somebody else's text: lines are read a megabyte at a time, those that
# are too long are left out, and only connections from ports that the run used are kept.

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
