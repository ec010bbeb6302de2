"""What the kernel counts about this machine while a run goes on, and whether its clock jumped.

Everything here is read, nothing is judged: `stress.engine.health` compares two readings. A figure
that the kernel does not tell is None, and says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

JUMP_NS = 50_000_000
"""A step of the wall clock against the monotonic one that no slewing makes between two looks."""
_PRUNED = ("PruneCalled", "RcvPruned", "TCPRcvQDrop")
"""Counters of the kernel for what a full receive buffer of a socket cost (proc(5), TcpExt)."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """One reading. The counter is of the whole machine (its network namespace), since boot."""

    receive_drops: int | None = None
    """Times that a receive buffer or the queue before the sockets was full."""
    free_bytes: int | None = None
    """Memory that is available."""

    @classmethod
    def here(cls, root: Path = Path("/")) -> Vitals:
        """Ask the kernel; `root` is where its `proc` is."""
        extended = _netstat(root / "proc/net/netstat")
        pruned = [extended[name] for name in _PRUNED if name in extended]
        backlog = _backlog_drops(root / "proc/net/softnet_stat")
        known = pruned if backlog is None else [*pruned, backlog]
        return cls(
            receive_drops=sum(known) if known else None,
            free_bytes=_free_bytes(root / "proc/meminfo"),
        )


class Clocks:
    """Compares the wall clock with the monotonic one, look by look."""

    def __init__(self) -> None:
        self._offset_ns: int | None = None
        self.jumped_ns = 0
        """The largest step that was seen; 0: none. Above 0: the wall clock went forward."""

    def look(self, wall_ns: int, monotonic_ns: int) -> None:
        """Take both clocks, read one right after the other."""
        offset_ns = wall_ns - monotonic_ns
        if self._offset_ns is not None:
            step_ns = offset_ns - self._offset_ns
            if abs(step_ns) > max(JUMP_NS, abs(self.jumped_ns)):
                self.jumped_ns = step_ns
        self._offset_ns = offset_ns


def more(before: int | None, after: int | None) -> int:
    """How much a counter grew; 0 when it is not told or was set back."""
    return 0 if before is None or after is None else max(0, after - before)


def _netstat(file: Path) -> Mapping[str, int]:
    """The `TcpExt` counters by name: one line of names, one of values."""
    lines = [line.split() for line in _text(file).splitlines() if line.startswith("TcpExt:")]
    if len(lines) != 2:
        return {}
    pairs = zip(lines[0][1:], lines[1][1:], strict=False)
    return {name: int(value) for name, value in pairs if value.isdigit()}


def _backlog_drops(file: Path) -> int | None:
    """Packets that found a processor's queue full: the second column, one line a processor."""
    columns = [line.split() for line in _text(file).splitlines()]
    try:
        return sum(int(words[1], 16) for words in columns) if columns else None
    except (IndexError, ValueError):
        return None


def _free_bytes(file: Path) -> int | None:
    words = _text(file).split()
    place = words.index("MemAvailable:") + 1 if "MemAvailable:" in words else 0
    return int(words[place]) * 1024 if 0 < place < len(words) and words[place].isdigit() else None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
