"""What many handshakes at once do to the measurement, and to memory.

Concurrency comes from a silent server beside nginx: half of the attempts go there and wait for
their timeout, so thousands are in flight while nginx itself has little to do. The `server_ns` of
nginx must then not depend on how many others are waiting. So nginx has to take the same time at
every level:

* It gets the same rate, half of what this client can do, so that nothing comes in bursts.
* Where there are two cores it has one of its own: on a core that it shares with a busy client it
  waits for processor time, and that is its own time.
* That core is kept awake. One that sleeps between two handshakes takes a tenth of a millisecond to
  wake up (in a virtual machine), which is also the server's time, and only where it has to sleep.

What the server itself took is known besides, from the packets: a raw socket gets a copy of each
with the kernel's time stamp (needs root). So each `server_ns` is compared with the time from the
packet of its own ClientHello to the last packet of the answer.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from benchmarks.clients import Aim, run_command
from benchmarks.cost import run
from benchmarks.silence import silent_port

CLEAN, FAILING, INVALID = 0, 1, 4


@dataclass(frozen=True, slots=True)
class Level:
    """A number of handshakes in flight: half of the rate, times the timeout."""

    in_flight: int
    rate: int
    timeout_s: float
    seconds: float


TO_NGINX = 250
"""Handshakes a second that nginx gets; as many go to the silent server, but for one in flight."""
LEVELS = (
    Level(1, TO_NGINX, 10, 12),
    Level(100, 2 * TO_NGINX, 0.4, 12),
    Level(1_000, 2 * TO_NGINX, 4, 16),
    Level(5_000, 2 * TO_NGINX, 20, 32),
)
COPIES_BYTES = 256 << 20
"""Room for copies of packets; each takes less than a kibibyte."""
HEAD_BYTES = 96
"""Of each packet that is copied: more than the headers of Ethernet, IPv4 and TCP."""
SO_TIMESTAMPNS = 35  # asm-generic/socket.h; the module `socket` lacks these three
SO_ATTACH_FILTER, SO_RCVBUFFORCE = 26, 33


@dataclass(frozen=True, slots=True)
class Answer:
    """What was measured at one level."""

    in_flight: int
    server_us: float
    """Median of the target's own time."""
    lag_us: float
    """Median of what the client's own process added."""
    samples: int
    wire_us: float | None = None
    """Median of the same handshakes by the time stamps of their packets; None: not measured."""
    limited: bool = False
    """The run is invalid: this machine, not nginx, was the limit."""


def answer_times(aim: Aim, server: int, levels: Sequence[Level] = LEVELS) -> list[Answer]:
    """Median `server_ns` at each level of the nginx whose process id is `server`."""
    with _apart(server), silent_port() as silent:
        return [_at(level, aim, silent) for level in levels]


@contextmanager
def _apart(server: int) -> Iterator[None]:
    """Give the server the last core, kept awake, and us and whatever we start the others."""
    if sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2:
        yield
        return
    cores = sorted(os.sched_getaffinity(0))
    spins = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        os.sched_setaffinity(spins.pid, cores[-1:])
        os.sched_setscheduler(spins.pid, os.SCHED_IDLE, os.sched_param(0))  # gives way to anybody
        os.sched_setaffinity(server, cores[-1:])
        os.sched_setaffinity(0, cores[:-1])
        yield
    finally:
        spins.kill()
        spins.wait()
        for process in (server, 0):
            os.sched_setaffinity(process, cores)


def _at(level: Level, aim: Aim, silent: int) -> Answer:
    options = ["--name", f"flight-{level.in_flight}", "--timeout", f"{level.timeout_s}s"]
    options += ["--rate", str(level.rate), "--concurrency", str(max(64, level.in_flight * 2))]
    options += ["--address", f"127.0.0.1:{aim.port}"]
    if level.in_flight > 1:
        options += ["--address", f"127.0.0.1:{silent}"]
    with packet_copies(aim.port) as copies:
        cost = run(run_command(aim, round(level.rate * level.seconds), *options))
        if cost.code not in {CLEAN, FAILING, INVALID}:
            raise RuntimeError(f"code {cost.code}:\n{cost.output}")
        by_port = answered(copies, aim.port) if copies else {}
    answer = _read(level, aim.results / f"flight-{level.in_flight}.db", by_port)
    return replace(answer, limited=cost.code == INVALID)


def _read(level: Level, file: Path, by_port: Mapping[int, int]) -> Answer:
    """The good handshakes that began when the level had been reached.

    Args:
        level: of the run.
        file: of the run.
        by_port: nanoseconds that each took by its packets, by its local port.
    """
    query = """
        SELECT server_ns, lag_ns, local_port FROM handshake
        WHERE outcome = 'ok' AND due_ns >= (SELECT min(due_ns) FROM handshake) + ?
    """
    with closing(sqlite3.connect(file)) as database:
        filled_ns = int(level.timeout_s * 1e9) if level.in_flight > 1 else 0
        rows = database.execute(query, (filled_ns,)).fetchall()
    server, lag, ports = zip(*rows, strict=True)
    # Nearly all of them or none: for many copies there may have been no room.
    wire = [by_port[port] for port in ports if port in by_port]
    by_packets = median(wire) / 1e3 if len(wire) >= 0.99 * len(rows) else None
    return Answer(level.in_flight, median(server) / 1e3, median(lag) / 1e3, len(rows), by_packets)


@contextmanager
def packet_copies(port: int) -> Iterator[socket.socket | None]:
    """A socket that gets a copy of each IPv4 packet over loopback from or to that TCP port.

    None where that is not allowed. Nobody reads it meanwhile: it costs the kernel a copy each.
    """
    if sys.platform != "linux":
        yield None
        return
    # ldh [20]: the source port behind headers of 14 and 20 octets; ldh [22]: the destination.
    program = (
        *((0x28, 0, 0, 34), (0x15, 2, 0, port), (0x28, 0, 0, 36), (0x15, 0, 1, port)),
        *((6, 0, 0, HEAD_BYTES), (6, 0, 0, 0)),
    )
    octets = b"".join(struct.pack("=HBBI", *one) for one in program)
    import ctypes  # noqa: PLC0415 - Linux only

    held = ctypes.create_string_buffer(octets, len(octets))
    try:
        copies = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    except PermissionError:
        yield None
        return
    with copies:
        copies.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, COPIES_BYTES)
        copies.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        pointer = struct.pack("@HP", len(program), ctypes.addressof(held))
        copies.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, pointer)
        copies.bind(("lo", 0x0800))  # of this protocol only what comes in, so each once
        yield copies


def answered(copies: socket.socket, server: int) -> Mapping[int, int]:
    """Local port -> nanoseconds from the first octets of the client to the last of the answer.

    The answer ends where the client speaks again.
    """
    asked: dict[int, int] = {}
    found: dict[int, int] = {}
    over: set[int] = set()
    copies.settimeout(0)
    with suppress(BlockingIOError):
        while True:
            packet, ancillary, _, _ = copies.recvmsg(HEAD_BYTES, 64)
            at_s, at_ns = struct.unpack("@ll", ancillary[0][2])
            whole = int.from_bytes(packet[16:18])
            head = 4 * (packet[14] & 15) + 4 * (packet[46] >> 4)
            source, target = struct.unpack("!HH", packet[34:38])
            if whole <= head:
                continue
            at = at_s * 1_000_000_000 + at_ns
            if source == server:
                if target not in over and target in asked:
                    found[target] = at - asked[target]
            elif source in found:
                over.add(source)
            else:
                asked.setdefault(source, at)
    return found


def memory_kib(aim: Aim, in_flight: int) -> float:
    """Memory per handshake in flight: the peak with this many, less the peak with one."""
    with silent_port() as silent:
        one, many = (_peak_kib(aim, silent, number) for number in (1, in_flight))
    return (many - one) / in_flight


def _peak_kib(aim: Aim, silent: int, in_flight: int) -> int:
    options = ["--concurrency", str(in_flight), "--address", f"127.0.0.1:{silent}"]
    options += ["--timeout", "25s" if in_flight > 1 else "2s"]
    cost = run(run_command(aim, in_flight, *options), sample_s=0.25)
    if cost.code not in {FAILING, INVALID}:
        raise RuntimeError(f"code {cost.code}:\n{cost.output}")
    return cost.peak_rss_kib


def bytes_per_row(results: Path) -> float:
    """What one more row costs: the largest run file less the smallest, over their rows."""
    by_size = sorted(results.glob("*.db"), key=lambda path: path.stat().st_size)
    small, large = by_size[0], by_size[-1]
    return (large.stat().st_size - small.stat().st_size) / (_rows(large) - _rows(small))


def _rows(file: Path) -> int:
    with closing(sqlite3.connect(file)) as database:
        return int(database.execute("SELECT count(*) FROM handshake").fetchone()[0])
