"""One process of the farm: accepts, lets the balancer choose, and serves, in one Trio loop.

Run as `python -m stress.lab.host` by the farm, with its listening sockets inherited and its
orders on standard input (see `stress.lab.control`). Accepting comes in bursts, so that a
thousand clients at once find room in the queue; SIGINT is left to the parent, because Ctrl-C must
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

import trio

from stress.lab import balancer, control
from stress.lab.blueprint import Pool, Process
from stress.lab.node import Node
from stress.lab.rate_limiter import RateLimiter

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
        """Serve until the farm's end of standard input closes."""
        async with trio.open_nursery() as nursery:
            for pool, nodes in self._pools:
                weights = [node.weight for node in pool.nodes]
                choose = balancer.balancer(pool.policy, weights, pool.seed)
                for front in pool.fronts:
                    listener = socket.socket(fileno=front.descriptor)
                    listener.settimeout(0)
                    lane = Lane(self, pool, nodes, choose, nursery)
                    nursery.start_soon(lane.accept, listener)
            await self._obey()
            if self._scratch is not None:
                shutil.rmtree(self._scratch, ignore_errors=True)
            nursery.cancel_scope.cancel()

    def first_s(self) -> float:
        """When the first connection came, on Trio's clock; called at each accept."""
        if self._first_s is None:
            self._first_s = trio.current_time()
            self._first_ns = time.time_ns()
        return self._first_s

    def count(self) -> control.Count:
        """What the nodes have seen so far."""
        nodes = [node for _, group in self._pools for node in group]
        return control.Count(
            {node.name: node.served for node in nodes},
            {node.name: node.faulted for node in nodes},
            self._first_ns,
        )

    async def _obey(self) -> None:
        async with trio.lowlevel.FdStream(sys.stdin.fileno()) as orders:
            self._report()
            while chunk := await orders.receive_some():
                for _ in range(chunk.count(control.QUESTION)):
                    self._report()

    def _report(self) -> None:
        sys.stdout.buffer.write(control.to_line(self.count()))
        sys.stdout.buffer.flush()


class Lane:
    """One listening socket on its way to the nodes of its pool."""

    def __init__(
        self,
        host: Host,
        pool: Pool,
        nodes: list[Node],
        choose: balancer.Choice,
        nursery: trio.Nursery,
    ) -> None:
        self._host = host
        self._pace = RateLimiter(1 / pool.accepts_per_s) if pool.accepts_per_s else None
        self._nodes = nodes
        self._choose = choose
        self._nursery = nursery

    async def accept(self, listener: socket.socket) -> None:
        """Take connections for ever."""
        while True:
            await trio.lowlevel.wait_readable(listener.fileno())
            if self._pace is None:
                await self._take(listener, BURST)
            else:
                await self._take_paced(listener, self._pace)

    async def _take_paced(self, listener: socket.socket, pace: RateLimiter) -> None:
        """Take one after the other until the queue is empty."""
        pace.begin()
        await pace.pass_next()
        while await self._take(listener, 1):
            await pace.pass_next()

    async def _take(self, listener: socket.socket, most: int) -> int:
        """Take what waits, and tell how many that were."""
        for taken in range(most):
            try:
                peer, address = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return taken
            except OSError:  # out of file descriptors: the queue holds them until some are free
                await trio.sleep(FULL_PAUSE_S)
                return taken
            peer.settimeout(0)
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            node = self._nodes[self._choose(address[1])]
            self._nursery.start_soon(node.serve, peer, self._host.first_s())
        return most


def main() -> None:
    """Read the orders, then serve."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # Unbuffered, because what follows the first line is read by Trio from the descriptor.
    with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as orders:
        process = control.read_process(orders.readline())
    host = Host(process)
    gc.freeze()
    trio.run(host.run)


if __name__ == "__main__":
    main()
