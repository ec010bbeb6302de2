"""One process of the farm: accepts, balances and serves, in one Trio loop.

The farm runs it as `python -m stress.lab.host`. It inherits its listening sockets and reads what to
serve from standard input (see `stress.lab.blueprint`). It accepts in bursts, so that a thousand
simultaneous clients find room in the queue, and leaves SIGINT to the parent, because Ctrl-C must
let the client finish what is in flight.

Balancing is layer 4: the balancer knows the client's port and its own state, never the payload. The
process hands the accepted connection itself to the node instead of copying bytes (as direct server
return does), so a node's RST, silence and timing reach the client unchanged.
"""

from __future__ import annotations

import gc
import os
import resource
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import accumulate, count, cycle
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

import msgspec
import trio

from stress.lab.blueprint import (
    COUNT_REQUEST,
    Balancing,
    NodeCounts,
    Pool,
    Process,
    Tickets,
    to_line,
)
from stress.lab.node import Node, RateLimiter, server_context

BURST = 256
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
FULL_PAUSE_S = 0.02


def balancer(policy: Balancing, weights: Sequence[float], seed: int) -> Callable[[int], int]:
    """Make a function that chooses a node's index for the next connection, by the client's port.

    Raises:
        ValueError: there is no node, or a weight is not positive.
    """
    if not weights or min(weights) <= 0:
        raise ValueError(f"a balancer needs nodes with positive weights, not {list(weights)}")
    nodes = range(len(weights))
    match policy:
        case Balancing.ROUND_ROBIN:
            order = cycle(nodes)
            return lambda _port: next(order)
        case Balancing.RANDOM:
            dice = Random(seed)  # noqa: S311 - a repeatable balancer, no secret
            limits = list(accumulate(weights))
            return lambda _port: dice.choices(nodes, cum_weights=limits)[0]
        case Balancing.SOURCE_PORT:
            # CRC-32 of the port, as in many switches: linear, so its buckets can be recovered.
            return lambda port: crc32(port.to_bytes(2, "big")) % len(nodes)
        case Balancing.PORT_RANGE:
            return lambda port: port * len(nodes) >> 16


class Host:
    """The running process: its pools and its counts."""

    def __init__(self, process: Process) -> None:
        self._pools: list[tuple[Pool, list[Node]]] = []
        for pool in process.pools:
            nodes = pool.numbered
            shared = pool.tickets is Tickets.SHARED and nodes
            sealing = server_context(nodes[0].identity) if shared else None
            settings = (pool.seed, pool.pace, pool.tickets, sealing)
            self._pools.append((pool, [Node(node, *settings) for node in nodes]))
        self._process = process
        # A line goes out at once, in one piece: several processes may append to one file.
        self._log = Path(process.log).open("a", buffering=1) if process.log else None  # noqa: SIM115
        self._first_s = 0.0
        self._first_ns: int | None = None

    async def run(self) -> None:
        """Serve until the farm closes our standard input."""
        async with trio.open_nursery() as nursery:
            for pool, nodes in self._pools:
                nursery.start_soon(self._listen, pool, nodes, nursery)
            async with trio.lowlevel.FdStream(sys.stdin.fileno()) as requests:
                self._report()
                while chunk := await requests.receive_some():
                    for _ in range(chunk.count(COUNT_REQUEST)):
                        self._report()
            if self._process.temporary:
                shutil.rmtree(self._process.folder, ignore_errors=True)
            nursery.cancel_scope.cancel()

    async def _listen(self, pool: Pool, nodes: list[Node], nursery: trio.Nursery) -> None:
        """Accept forever: all that is waiting, or no more than so many connections a second."""
        choose = balancer(pool.policy, [node.weight for node in pool.numbered], pool.seed)
        limiter = RateLimiter(1 / pool.accepts_per_s) if pool.accepts_per_s else None
        listener = socket.socket(fileno=pool.front.descriptor)
        listener.settimeout(0)
        while True:
            await trio.lowlevel.wait_readable(listener.fileno())
            if limiter is not None:
                limiter.arrive()
            # A limited queue is emptied in one go, since each wait lets other tasks run.
            for _ in range(BURST) if limiter is None else count():
                if limiter is not None:
                    await limiter.wait_next()
                try:
                    peer, address = listener.accept()
                except (BlockingIOError, ConnectionAbortedError):
                    break
                except OSError:  # out of file descriptors: the queue holds them until some are free
                    await trio.sleep(FULL_PAUSE_S)
                    break
                peer.settimeout(0)
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._first_ns is None:
                    self._first_s, self._first_ns = trio.current_time(), time.time_ns()
                nursery.start_soon(self._serve, nodes[choose(address[1])], peer, address)

    async def _serve(self, node: Node, peer: socket.socket, client: tuple[Any, ...]) -> None:
        """Serve a connection, and log it at its end as HAProxy does (`option tcplog`)."""
        begun = datetime.now()  # noqa: DTZ005 - in local time, as HAProxy's
        await node.serve(peer, self._first_s)
        if self._log is not None:
            took_ms = (datetime.now() - begun) / timedelta(milliseconds=1)  # noqa: DTZ005
            day = f"{begun.day:02}/{_MONTHS[begun.month - 1]}/{begun.year}"
            self._log.write(
                f"{client[0]}:{client[1]} [{day}:{begun:%H:%M:%S}.{begun.microsecond // 1000:03}] "
                f"front nodes/{node.name} 0/0/{took_ms:.0f} 0 -- 0/0/0/0/0 0/0\n"
            )

    def _report(self) -> None:
        nodes = [node for _, group in self._pools for node in group]
        served = {node.name: node.served for node in nodes}
        faulted = {node.name: node.faulted for node in nodes}
        sys.stdout.buffer.write(to_line(NodeCounts(served, faulted, self._first_ns)))
        sys.stdout.buffer.flush()


def main() -> None:
    """Read what to serve, then serve it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # Unbuffered, because Trio reads what follows the first line from the descriptor.
    with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as requests:
        process = msgspec.json.decode(requests.readline(), type=Process)
    os.chdir(process.folder)
    host = Host(process)
    gc.freeze()
    trio.run(host.run)


if __name__ == "__main__":
    main()
