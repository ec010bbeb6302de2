"""What this machine can do: the limits that a load meets on our side, before a packet is sent.

Linux tells them under /proc and /sys; a fact that nobody tells is shown as unknown and limits
nothing. The figures are ceilings, not promises: a target or a network may give way long before.
"""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import monotonic

from stress.engine.checks.host_stats import HostStats
from stress.engine.checks.run_validity import LAG_LIMIT_US
from stress.engine.versions import versions
from stress.engine.worker.timestamps import ask_for_stamps

HANDSHAKES_PER_CORE = 1_500
"""Full handshakes a second that a core opens, everything recorded: docs/benchmarks.md, rounded."""
BYTES_IN_FLIGHT = 40_000
"""Memory that one handshake in flight may take."""
FILES_ASIDE = 128
"""Descriptors that a process needs besides its connections, as planning reckons."""
TIME_WAIT_S = 60
"""How long Linux keeps the port of the side that closed first (TCP_TIMEWAIT_LEN)."""
LEAST_IN_FLIGHT = 64
"""The default concurrency: a machine that cannot hold it cannot do a default run."""
NAP_S, NAPS = 0.005, 40
LEAST_PORTS = 1_000
"""What a default run uses up when it closes with FIN."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the operating system says. None: it does not say."""

    cores: int
    open_files: int | None
    """Hard limit for one process; None: unlimited."""
    local_ports: int | None
    """Ports that the kernel hands out, per local address and destination."""
    waiting_ports: int | None
    """Sockets in TIME_WAIT now, to whatever destination."""
    memory_bytes: int | None
    """Available to us, a control group's limit included."""
    tracked: int | None
    """Connections that the packet filter follows now."""
    tracked_limit: int | None
    load: float | None
    """Programs that want a core now, over the last minute."""
    late_s: float
    """How late this process wakes up from a short sleep, 90th percentile."""
    kernel_stamps: bool
    """Whether the kernel stamps what arrives."""
    programs: Mapping[str, str]
    """Name -> version of what takes part."""

    @classmethod
    def here(cls, root: Path = Path("/")) -> Machine:
        """Ask the operating system; `root` is where its `proc` and `sys` are."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        netfilter, vitals = root / "proc/sys/net/netfilter", HostStats.here(root)
        return cls(
            cores=_cores(),
            open_files=None if hard == resource.RLIM_INFINITY else hard,
            local_ports=vitals.local_ports,
            waiting_ports=vitals.waiting_ports,
            memory_bytes=_memory(root, vitals.free_bytes),
            tracked=_number(netfilter / "nf_conntrack_count"),
            tracked_limit=_number(netfilter / "nf_conntrack_max"),
            load=_load(),
            late_s=_lateness(),
            kernel_stamps=_stamps(),
            programs=versions(),
        )


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of the examination."""

    name: str
    value: str
    means: str
    """What follows from it for a run."""
    blocks: bool = False
    """Whether not even a default run can be believed on this machine."""


@dataclass(frozen=True, slots=True)
class Preflight:
    """All facts, and the limit that is met first."""

    facts: tuple[Fact, ...]
    limit: str

    @property
    def able(self) -> bool:
        """Whether this machine can do at least a default run."""
        return not any(fact.blocks for fact in self.facts)


def examine(machine: Machine) -> Preflight:
    """Weighs what a machine says of itself."""
    facts = (
        _files(machine),
        _ports(machine),
        _waiting_ports(machine),
        _processor(machine),
        _others(machine),
        _wakes(machine),
        _room(machine),
        _filter(machine),
        _clock(machine),
        *(Fact(name, version, "") for name, version in machine.programs.items()),
    )
    rate = machine.cores * HANDSHAKES_PER_CORE
    in_flight = min(
        (each for each in (_by_files(machine), _by_memory(machine)) if each is not None),
        default=None,
    )
    flying = "no limit in flight" if in_flight is None else f"{in_flight:,} in flight"
    return Preflight(facts, f"about {rate:,} handshakes a second, {flying}")


def _files(machine: Machine) -> Fact:
    if machine.open_files is None:
        return Fact("open files", "unlimited", "")
    room = machine.open_files - FILES_ASIDE
    return Fact(
        "open files",
        f"{machine.open_files:,}",
        f"{max(0, room):,} in flight in each process",
        blocks=room < LEAST_IN_FLIGHT,
    )


def _ports(machine: Machine) -> Fact:
    if machine.local_ports is None:
        return Fact("local ports", "unknown", "")
    rate = machine.local_ports // TIME_WAIT_S
    return Fact(
        "local ports",
        f"{machine.local_ports:,}",
        f"{rate:,}/s for each source and address, unless --close rst",
        blocks=machine.local_ports < LEAST_PORTS,
    )


def _waiting_ports(machine: Machine) -> Fact:
    waiting, there = machine.waiting_ports, machine.local_ports
    if waiting is None:
        return Fact("ports in TIME_WAIT", "unknown", "")
    many = there is not None and waiting > there // 2
    means = "if an earlier run left them, wait a minute" if many else "each for one target"
    return Fact("ports in TIME_WAIT", f"{waiting:,}", means)


def _processor(machine: Machine) -> Fact:
    rate = machine.cores * HANDSHAKES_PER_CORE
    return Fact("cores", f"{machine.cores}", f"about {rate:,} handshakes a second")


def _others(machine: Machine) -> Fact:
    if machine.load is None:
        return Fact("load average", "unknown", "")
    busy = machine.load > machine.cores / 2
    means = "other programs take part of the cores" if busy else "the cores are free"
    return Fact("load average", f"{machine.load:.1f}", means)


def _wakes(machine: Machine) -> Fact:
    late = machine.late_s * 1e6 > LAG_LIMIT_US
    means = "so late that latencies would contain it" if late else "in time"
    return Fact("wakes up late by", f"{machine.late_s * 1000:.1f} ms", means)


def _room(machine: Machine) -> Fact:
    room = _by_memory(machine)
    if machine.memory_bytes is None or room is None:
        return Fact("memory", "unknown", "")
    return Fact(
        "memory",
        f"{machine.memory_bytes / 1e9:.1f} GB available",
        f"about {room:,} in flight",
        blocks=room < LEAST_IN_FLIGHT,
    )


def _filter(machine: Machine) -> Fact:
    if machine.tracked is None or not machine.tracked_limit:
        return Fact("connection tracking", "none", "")
    room = machine.tracked_limit - machine.tracked
    return Fact(
        "connection tracking",
        f"{machine.tracked:,} of {machine.tracked_limit:,}",
        f"room for {max(0, room):,} more",
        blocks=room < LEAST_PORTS,
    )


def _clock(machine: Machine) -> Fact:
    if machine.kernel_stamps:
        return Fact("time stamps", "kernel", "the target's time is measured apart from our own lag")
    return Fact("time stamps", "user space", "the target's time contains our own lag")


def _by_files(machine: Machine) -> int | None:
    if machine.open_files is None:
        return None
    return max(0, machine.open_files - FILES_ASIDE) * machine.cores


def _by_memory(machine: Machine) -> int | None:
    return None if machine.memory_bytes is None else machine.memory_bytes // BYTES_IN_FLIGHT


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # Linux: a container may have fewer than the machine
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _load() -> float | None:
    with suppress(OSError):  # not every system tells it
        return os.getloadavg()[0]
    return None


def _lateness() -> float:
    """How late the system lets this process wake up: a fifth of a second of short sleeps."""
    late, never = [], Event()
    for _ in range(NAPS):
        before = monotonic()
        never.wait(NAP_S)
        late.append(monotonic() - before - NAP_S)
    return sorted(late)[NAPS * 9 // 10]


def _stamps() -> bool:
    with suppress(OSError), socket.socket() as probe:
        return ask_for_stamps(probe)
    return False


def _memory(root: Path, free: int | None) -> int | None:
    limit, used = (_number(root / f"sys/fs/cgroup/memory.{name}") for name in ("max", "current"))
    if limit is None or used is None:
        return free
    room = max(0, limit - used)
    return room if free is None else min(free, room)


def _number(file: Path) -> int | None:
    with suppress(OSError, ValueError):
        return int(file.read_text(encoding="ascii"))
    return None
