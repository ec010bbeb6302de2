"""One process of the farm: accepts, balances and serves, in one Trio loop.

The farm runs it as `python -m stress.lab.host`. It inherits its listening sockets and reads what to
serve from standard input (see `stress.lab.blueprint`). It accepts in bursts, so that a thousand
simultaneous clients find room in the queue, and leaves SIGINT to the parent, because Ctrl-C must
let the client finish what is in flight.
"""

from __future__ import annotations

import gc
import resource
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from itertools import accumulate, cycle
from random import Random
from zlib import crc32

import msgspec
import trio

from stress.lab.blueprint import COUNT_REQUEST, Balancing, NodeCounts, Pool, Process, to_line
from stress.lab.node import Node, RateLimiter

# Layer-4 balancing: which node gets the next connection. Arithmetic only.
#
# The balancer knows the client's port and its own state, never the payload. The process that
# accepts hands the connection itself to the node instead of copying bytes (as direct server return
# does), so a node's RST, silence and timing reach the client unchanged.

Choice = Callable[[int], int]
"""From the client's port to the index of a node."""


def balancer(policy: Balancing, weights: Sequence[float], seed: int) -> Choice:
    """Make a chooser over `len(weights)` nodes.

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


BURST = 256
FULL_PAUSE_S = 0.02


class Host:
    """The running process: its pools and its counts."""

    def __init__(self, process: Process) -> None:
        self._pools = [
            (pool, [Node(node, pool.seed) for node in pool.nodes]) for pool in process.pools
        ]
        self._scratch = process.scratch
        self._first_s: float | None = None
        self._first_ns: int | None = None

    async def run(self) -> None:
        """Serve until the farm closes our standard input."""
        async with trio.open_nursery() as nursery:
            for pool, nodes in self._pools:
                weights = [node.weight for node in pool.nodes]
                choose = balancer(pool.policy, weights, pool.seed)
                for front in pool.fronts:
                    listener = Listener(self, pool, nodes, choose, nursery)
                    nursery.start_soon(listener.run, socket.socket(fileno=front.descriptor))
            async with trio.lowlevel.FdStream(sys.stdin.fileno()) as requests:
                self._report()
                while chunk := await requests.receive_some():
                    for _ in range(chunk.count(COUNT_REQUEST)):
                        self._report()
            if self._scratch is not None:
                shutil.rmtree(self._scratch, ignore_errors=True)
            nursery.cancel_scope.cancel()

    def first_s(self) -> float:
        """When the first connection came, on Trio's clock; called at each accept."""
        if self._first_s is None:
            self._first_s = trio.current_time()
            self._first_ns = time.time_ns()
        return self._first_s

    def _report(self) -> None:
        nodes = [node for _, group in self._pools for node in group]
        counts = NodeCounts(
            {node.name: node.served for node in nodes},
            {node.name: node.faulted for node in nodes},
            self._first_ns,
        )
        sys.stdout.buffer.write(to_line(counts))
        sys.stdout.buffer.flush()


class Listener:
    """Accepts on one socket and hands each connection to a node of the pool."""

    def __init__(
        self,
        host: Host,
        pool: Pool,
        nodes: list[Node],
        choose: Choice,
        nursery: trio.Nursery,
    ) -> None:
        self._host = host
        self._limiter = RateLimiter(1 / pool.accepts_per_s) if pool.accepts_per_s else None
        self._nodes = nodes
        self._choose = choose
        self._nursery = nursery

    async def run(self, listener: socket.socket) -> None:
        """Accept forever."""
        listener.settimeout(0)
        while True:
            await trio.lowlevel.wait_readable(listener.fileno())
            if self._limiter is None:
                await self._accept(listener, BURST)
                continue
            # One after the other until the queue is empty.
            self._limiter.arrive()
            await self._limiter.wait_next()
            while await self._accept(listener, 1):
                await self._limiter.wait_next()

    async def _accept(self, listener: socket.socket, most: int) -> int:
        """Accept what is waiting; returns how many that were."""
        for accepted in range(most):
            try:
                peer, address = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return accepted
            except OSError:  # out of file descriptors: the queue holds them until some are free
                await trio.sleep(FULL_PAUSE_S)
                return accepted
            peer.settimeout(0)
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            node = self._nodes[self._choose(address[1])]
            self._nursery.start_soon(node.serve, peer, self._host.first_s())
        return most


def main() -> None:
    """Read what to serve, then serve it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # Unbuffered, because Trio reads what follows the first line from the descriptor.
    with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as orders:
        process = msgspec.json.decode(orders.readline(), type=Process)
    host = Host(process)
    gc.freeze()
    trio.run(host.run)


if __name__ == "__main__":
    main()
