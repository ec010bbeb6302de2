"""What this machine can do: the limits that a load meets on our side, before a packet is sent.

Linux reports them under /proc and /sys; a figure that is not reported is shown as unknown and
limits nothing. The figures are ceilings, not promises: the target or the network may be the limit
long before.
"""

from __future__ import annotations

import os
import platform
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from threading import Event
from time import monotonic

import stress
from stress.engine.checks.run_validity import LAG_LIMIT_US, HostStats, read_number
from stress.handshake.stack import tls_flags
from stress.host.clocks import enable_kernel_stamps
from stress.host.limits import Machine
from stress.model.plan import Plan

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
_LIBRARIES = ("trio", "utls", "cryptography", "pyOpenSSL", "hdrhistogram")


@dataclass(frozen=True, slots=True)
class HostCapacity:
    """What the operating system reports. None: it reports nothing."""

    machine: Machine
    stats: HostStats
    memory_bytes: int | None
    """Available to us, a control group's limit included."""
    load: float | None
    """Load average of the last minute."""
    late_s: float
    """Scheduler delay: how late this process wakes up from a short sleep, 90th percentile."""
    kernel_stamps: bool
    """Whether the kernel stamps what arrives."""
    programs: Mapping[str, str]
    """Name -> version of the software that takes part."""

    @classmethod
    def here(cls, root: Path = Path("/")) -> HostCapacity:
        """Read the capacity from the operating system; `root` holds its `proc` and `sys`."""
        stats = HostStats.here(root)
        memory, group = stats.free_bytes, root / "sys/fs/cgroup"
        limit, used = read_number(group / "memory.max"), read_number(group / "memory.current")
        if limit is not None and used is not None:
            room = max(0, limit - used)
            memory = room if memory is None else min(memory, room)
        load = None
        with suppress(OSError):  # not every system reports it
            load = os.getloadavg()[0]
        stamps = False
        with suppress(OSError), socket.socket() as probe:
            stamps = enable_kernel_stamps(probe)
        late, never = [], Event()
        for _ in range(NAPS):
            before = monotonic()
            never.wait(NAP_S)
            late.append(monotonic() - before - NAP_S)
        delay_s = sorted(late)[NAPS * 9 // 10]
        return cls(Machine.here(), stats, memory, load, delay_s, stamps, versions())


@dataclass(frozen=True, slots=True)
class HostFact:
    """One line of the preflight."""

    name: str
    value: str
    means: str = ""
    """What follows from it for a run."""
    blocks: bool = False
    """Whether not even a default run can be trusted on this machine."""


@dataclass(frozen=True, slots=True)
class Preflight:
    """All facts, and the limit that is met first."""

    facts: tuple[HostFact, ...]
    limit: str

    @property
    def able(self) -> bool:
        """Whether this machine can do at least a default run."""
        return not any(fact.blocks for fact in self.facts)


def examine(host: HostCapacity) -> Preflight:
    """Turn the figures of a machine into what they mean for a run."""
    limits, files = [], host.machine.open_files
    if files is not None:
        limits.append(max(0, files - FILES_ASIDE) * host.machine.cores)
    if host.memory_bytes is not None:
        limits.append(host.memory_bytes // BYTES_IN_FLIGHT)
    in_flight = f"{min(limits):,} in flight" if limits else "no limit in flight"
    rate = host.machine.cores * HANDSHAKES_PER_CORE
    return Preflight(
        (*_used_up(host), *_disturbing(host)), f"about {rate:,} handshakes a second, {in_flight}"
    )


def _used_up(host: HostCapacity) -> Iterator[HostFact]:
    """List what a run uses up, which blocks a run when short."""
    machine, stats = host.machine, host.stats
    if machine.open_files is None:
        yield HostFact("open files", "unlimited")
    else:
        room = max(0, machine.open_files - FILES_ASIDE)
        means = f"{room:,} in flight in each process"
        yield HostFact("open files", f"{machine.open_files:,}", means, room < LEAST_IN_FLIGHT)
    if stats.local_ports is None:
        yield HostFact("local ports", "unknown")
    else:
        ports, rate = stats.local_ports, stats.local_ports // TIME_WAIT_S
        means = f"{rate:,}/s for each source and address, unless --close rst"
        yield HostFact("local ports", f"{ports:,}", means, ports < LEAST_PORTS)
    if host.memory_bytes is None:
        yield HostFact("memory", "unknown")
    else:
        room, available = host.memory_bytes // BYTES_IN_FLIGHT, host.memory_bytes / 1e9
        means = f"about {room:,} in flight"
        yield HostFact("memory", f"{available:.1f} GB available", means, room < LEAST_IN_FLIGHT)
    if stats.tracked is None or not stats.tracked_limit:
        yield HostFact("connection tracking", "none")
    else:
        used = f"{stats.tracked:,} of {stats.tracked_limit:,}"
        room = max(0, stats.tracked_limit - stats.tracked)
        means = f"room for {room:,} more"
        yield HostFact("connection tracking", used, means, room < LEAST_PORTS)


def _disturbing(host: HostCapacity) -> Iterator[HostFact]:
    """List what would disturb a run."""
    machine, stats = host.machine, host.stats
    if stats.waiting_ports is None:
        yield HostFact("ports in TIME_WAIT", "unknown")
    else:
        many = "if an earlier run left them, wait a minute"
        means = many if stats.many_ports_wait else "each for one target"
        yield HostFact("ports in TIME_WAIT", f"{stats.waiting_ports:,}", means)
    means = f"about {machine.cores * HANDSHAKES_PER_CORE:,} handshakes a second"
    yield HostFact("cores", f"{machine.cores}", means)
    if host.load is None:
        yield HostFact("load average", "unknown")
    else:
        busy = host.load > machine.cores / 2
        means = "other programs take part of the cores" if busy else "the cores are free"
        yield HostFact("load average", f"{host.load:.1f}", means)
    late = host.late_s * 1e6 > LAG_LIMIT_US
    means = "too long: latencies would contain it" if late else "ok"
    yield HostFact("scheduler delay", f"{host.late_s * 1000:.1f} ms", means)
    if host.kernel_stamps:
        yield HostFact("time stamps", "kernel", "server time is kept apart from our own lag")
    else:
        yield HostFact("time stamps", "user space", "server time contains our own lag")
    for name, version in host.programs.items():
        yield HostFact(name, version)


def versions(plan: Plan | None = None) -> dict[str, str]:
    """Name -> version of the tool, the interpreter, the kernel and the libraries that matter.

    They are stored with every run, because outcomes depend on them. With a plan also the TLS flags
    of each of its client profiles.

    Raises:
        UsageError: the stack is not installed, or cannot speak one of the clients.
    """
    found = {
        "tls-stress": stress.__version__,
        "python": platform.python_version(),
        "kernel": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "system-openssl": ssl.OPENSSL_VERSION,
    }
    for name in _LIBRARIES:
        with suppress(metadata.PackageNotFoundError):  # one TLS library may have been left out
            found[name] = metadata.version(name)
    if plan is not None:
        for client in plan.clients:
            stack = plan.stack_of(client)
            found[f"tls-flags of {client.name}"] = f"{stack} {tls_flags(client, stack)}"
    return found
