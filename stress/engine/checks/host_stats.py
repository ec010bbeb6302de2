"""Counters the kernel keeps about this machine while a run goes on.

They are only read here: `stress.engine.checks.run_validity` compares two readings. A figure that
the kernel does not report is None.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from stress.host.limits import reported_port_range

_PRUNED = ("PruneCalled", "RcvPruned", "TCPRcvQDrop")
"""Counters of the kernel for what a full receive buffer of a socket cost (proc(5), TcpExt)."""


@dataclass(frozen=True, slots=True)
class HostStats:
    """One reading. Counters are of the whole machine (its network namespace), since boot."""

    receive_drops: int | None = None
    """Times that a receive buffer or the queue before the sockets was full (counter)."""
    free_bytes: int | None = None
    """Memory that is available."""
    tracked: int | None = None
    """Connections in the packet filter's table."""
    tracked_limit: int | None = None
    """How many that table holds."""
    untracked: int | None = None
    """Packets that this table dropped because it was full (counter)."""
    waiting_ports: int | None = None
    """Sockets in TIME_WAIT, to whatever destination: each keeps a local port for 60 s."""
    local_ports: int | None = None
    """Ports that the kernel hands out, per local address and destination."""

    @classmethod
    def here(cls, root: Path = Path("/")) -> HostStats:
        """Read the kernel's counters; `root` is where its `proc` is."""
        proc = root / "proc"
        # TcpExt has one line of names and one of values.
        lines = _text(proc / "net/netstat").splitlines()
        extended = [line.split() for line in lines if line.startswith("TcpExt:")]
        counters = dict(zip(*extended, strict=False)) if len(extended) == 2 else {}
        drops = [int(counters[name]) for name in _PRUNED if counters.get(name, "").isdigit()]
        # The second column counts packets that found a processor's queue full.
        backlog = [line.split() for line in _text(proc / "net/softnet_stat").splitlines()]
        dropped = _hexadecimal_sum(backlog, [1])
        if dropped is not None:
            drops.append(dropped)
        columns, *processors = [
            line.split() for line in _text(proc / "net/stat/nf_conntrack").splitlines()
        ] or [[]]
        wanted = [columns.index(name) for name in ("drop", "early_drop") if name in columns]
        kibibytes = read_number(proc / "meminfo", r"\bMemAvailable:\s+(\d+)")
        ports = reported_port_range(root)
        return cls(
            receive_drops=sum(drops) if drops else None,
            free_bytes=None if kibibytes is None else kibibytes * 1024,
            tracked=read_number(proc / "sys/net/netfilter/nf_conntrack_count"),
            tracked_limit=read_number(proc / "sys/net/netfilter/nf_conntrack_max"),
            untracked=_hexadecimal_sum(processors, wanted),
            waiting_ports=read_number(proc / "net/sockstat", r"\btw (\d+)"),
            local_ports=None if ports is None else len(ports),
        )

    @property
    def many_ports_wait(self) -> bool:
        """Whether more than half of the local ports may be kept by connections of the past."""
        waiting, ports = self.waiting_ports, self.local_ports
        return waiting is not None and ports is not None and waiting > ports // 2

    @property
    def tracked_share(self) -> float:
        """How full the packet filter's table of connections is, 0 to 1; 0 where there is none."""
        return (self.tracked or 0) / self.tracked_limit if self.tracked_limit else 0.0


def increase(before: int | None, after: int | None) -> int:
    """Return how much a counter grew; 0 when it is not reported or was set back."""
    return 0 if before is None or after is None else max(0, after - before)


def read_number(file: Path, pattern: str = r"^(\d+)") -> int | None:
    """Find a number in a file; None when there is none."""
    found = re.search(pattern, _text(file))
    return int(found[1]) if found else None


def _hexadecimal_sum(lines: list[list[str]], columns: list[int]) -> int | None:
    """Add up columns of a table with one line a processor; None when there is nothing to add."""
    if not lines or not columns:
        return None
    try:
        return sum(int(words[column], 16) for words in lines for column in columns)
    except (IndexError, ValueError):
        return None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
