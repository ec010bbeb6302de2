"""What the kernel counts about this machine while a run goes on, and whether its clock jumped.

Everything here is read, nothing is judged: `stress.engine.checks.run_validity` compares two
readings. A figure that the kernel does not tell is None, and says nothing.
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
class HostStats:
    """One reading. The counter is of the whole machine (its network namespace), since boot."""

    receive_drops: int | None = None
    """Times that a receive buffer or the queue before the sockets was full."""
    free_bytes: int | None = None
    """Memory that is available."""
    tracked_share: float | None = None
    """How full the packet filter's table of connections is, 0 to 1."""
    untracked: int | None = None
    """Packets that this table dropped because it was full (counter)."""
    waiting_ports: int | None = None
    """Sockets in TIME_WAIT, to whatever destination: each keeps a local port for 60 s."""
    local_ports: int | None = None
    """Ports that the kernel hands out, per local address and destination."""

    @classmethod
    def here(cls, root: Path = Path("/")) -> HostStats:
        """Ask the kernel; `root` is where its `proc` is."""
        extended = _netstat(root / "proc/net/netstat")
        pruned = [extended[name] for name in _PRUNED if name in extended]
        backlog = _backlog_drops(root / "proc/net/softnet_stat")
        known = pruned if backlog is None else [*pruned, backlog]
        return cls(
            receive_drops=sum(known) if known else None,
            free_bytes=_free_bytes(root / "proc/meminfo"),
            tracked_share=_tracked_share(root / "proc/sys/net/netfilter"),
            untracked=_untracked(root / "proc/net/stat/nf_conntrack"),
            waiting_ports=_after(root / "proc/net/sockstat", "tw"),
            local_ports=_ports(root / "proc/sys/net/ipv4/ip_local_port_range"),
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
    kibibytes = _after(file, "MemAvailable:")
    return None if kibibytes is None else kibibytes * 1024


def _tracked_share(folder: Path) -> float | None:
    """The table of nf_conntrack; None where no packet filter follows connections."""
    count, most = (_text(folder / f"nf_conntrack_{name}").strip() for name in ("count", "max"))
    return int(count) / int(most) if count.isdigit() and most.isdigit() and int(most) else None


def _untracked(file: Path) -> int | None:
    """The columns `drop` and `early_drop`, hexadecimal, one line a processor."""
    names, *lines = [line.split() for line in _text(file).splitlines()] or [[]]
    columns = [names.index(name) for name in ("drop", "early_drop") if name in names]
    try:
        return sum(int(words[c], 16) for words in lines for c in columns) if columns else None
    except (IndexError, ValueError):
        return None


def _ports(file: Path) -> int | None:
    words = _text(file).split()
    known = len(words) == 2 and all(word.isdigit() for word in words)
    return int(words[1]) - int(words[0]) + 1 if known else None


def _after(file: Path, name: str) -> int | None:
    """The number after a word."""
    words = _text(file).split()
    place = words.index(name) + 1 if name in words else 0
    return int(words[place]) if 0 < place < len(words) and words[place].isdigit() else None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
