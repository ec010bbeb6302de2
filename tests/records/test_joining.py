"""Attempts find their lines: whatever the clocks show, and never a line that may be another's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stress.errors import UsageError
from stress.records.joining import Joined, LogLines, by_port, by_time

SECOND = 1_000_000_000
BEGIN = 1_796_812_267 * SECOND
NODES = 12


class World:
    """A run over one balancer, and what that logged."""

    def __init__(
        self, seed: int, count: int = 2_000, rate: float = 100.0, ports: int = 28_000
    ) -> None:
        self.random = np.random.default_rng(seed)
        self.at_ns = BEGIN + np.sort(self.random.uniform(0, count / rate, count) * SECOND).astype(
            np.int64
        )
        self.ports = (32_768 + np.arange(count) % ports).astype(np.int32)
        self.truth = self.random.integers(0, NODES, count).astype(np.int32)

    def lines(self, offset_s: float = 0.0, jitter_ms: float = 1.0, others: int = 0) -> LogLines:
        """The log, with so many connections of other clients."""
        late = np.abs(self.random.normal(0, jitter_ms * 1e6, len(self.at_ns))).astype(np.int64)
        theirs = self.random.uniform(-60, 60 + len(self.at_ns) / 100, others) * SECOND
        time_ns = np.concatenate([self.at_ns + late, BEGIN + theirs.astype(np.int64)])
        return LogLines(
            time_ns=time_ns + round(offset_s * SECOND),
            port=self._with(self.ports, self.random.integers(32_768, 61_000, others)),
            backend=self._with(self.truth, self.random.integers(0, NODES, others)),
            client=self._with(np.zeros(len(self.at_ns)), 1 + np.arange(others) % 400),
            backends=[f"node-{n}" for n in range(NODES)],
            clients=[f"10.0.0.{n}" for n in range(401)],
        )

    @staticmethod
    def _with(own: NDArray[np.generic], others: NDArray[np.generic]) -> NDArray[np.int32]:
        return np.concatenate([own, others]).astype(np.int32)

    def check(self, found: Joined) -> int:
        """How many were joined; none of them with another's line."""
        taken = found.backend >= 0
        assert (found.backend[taken] == self.truth[taken]).all()
        assert not (taken & found.ambiguous).any()
        return int(taken.sum())


@pytest.mark.parametrize("offset_s", [0.0, -0.3, 42.0, 3600.0, -7200.05, 19_800.0])
def test_the_offset_of_the_clocks_is_found(offset_s: float) -> None:
    world = World(1)

    found = by_port(world.at_ns, world.ports, world.lines(offset_s, others=20_000))

    assert world.check(found) >= 1_990
    assert abs(found.offset_ns / SECOND - offset_s) < 0.002
    assert 500_000 < found.spread_ns < 5_000_000


def test_ports_that_are_used_again_are_told_apart_by_time() -> None:
    world = World(2, count=5_000, rate=500.0, ports=900)  # each again after 1.8 s

    assert world.check(by_port(world.at_ns, world.ports, world.lines(-1.0))) >= 4_990


def test_a_line_in_two_files_counts_once_and_a_lost_line_is_no_other() -> None:
    world = World(3)
    lines = world.lines()
    twice = np.r_[0:2_000, 0:1_000]
    kept = twice[twice != 7]
    lines = LogLines(
        time_ns=lines.time_ns[kept],
        port=lines.port[kept],
        backend=lines.backend[kept],
        client=lines.client[kept],
        backends=lines.backends,
        clients=lines.clients,
    )

    found = by_port(world.at_ns, world.ports, lines)

    assert world.check(found) == 1_999
    assert found.backend[7] == -1


def test_two_connections_of_one_port_at_about_the_same_time_are_ambiguous() -> None:
    world = World(4, count=50)
    lines = world.lines(jitter_ms=0.1)
    rival = LogLines(
        time_ns=np.append(lines.time_ns, world.at_ns[9] + 20_000),
        port=np.append(lines.port, world.ports[9]),
        backend=np.append(lines.backend, (world.truth[9] + 1) % NODES).astype(np.int32),
        client=np.append(lines.client, 0).astype(np.int32),
        backends=lines.backends,
        clients=lines.clients,
    )

    found = by_port(world.at_ns, world.ports, rival)

    assert found.backend[9] == -1
    assert found.ambiguous[9]
    assert world.check(found) == 49


def test_a_line_of_a_busy_balancer_is_found_while_the_connection_lasted() -> None:
    """The kernel opens a connection long before a busy balancer accepts it and notes the time."""
    world = World(12, count=500, ports=300)  # each again after 3 s
    lines = world.lines(5.0, jitter_ms=0.2)
    lines.time_ns[40] += 200_000_000
    lines.time_ns[50] += 200_000_000
    ended_ns = world.at_ns + 1_000_000
    ended_ns[40] = world.at_ns[40] + 250_000_000
    lifetimes_ns = np.stack([world.at_ns, ended_ns])

    found = by_port(world.at_ns, world.ports, lines, lifetimes_ns)

    assert world.check(found) == 499
    assert found.backend[50] == -1


@pytest.mark.parametrize("change", ["another balancer", "other ports", "nothing"])
def test_a_log_of_something_else_is_refused(change: str) -> None:
    world, other = World(5), World(6)
    lines = other.lines(offset_s=0, others=5_000)
    if change == "another balancer":  # its connections used the same ports, at any time
        lines.time_ns = BEGIN + world.random.integers(-(10**13), 10**13, len(lines.port))
    elif change == "other ports":
        lines.port = lines.port - 31_000
    else:
        none = np.empty(0, np.int32)
        lines = LogLines(none.astype(np.int64), none, none, none, [], [])

    with pytest.raises(UsageError, match="the log"):
        by_port(world.at_ns, world.ports, lines)


def test_a_chance_meeting_of_a_few_ports_is_no_match() -> None:
    """A NAT that maps ports to ports of the same range."""
    world = World(9, count=600, rate=60.0)
    lines = world.lines()
    lines.port = lines.port[world.random.permutation(600)]

    with pytest.raises(UsageError, match="does not fit"):
        by_port(world.at_ns, world.ports, lines)


@pytest.mark.parametrize(("offset_s", "known"), [(0.1, True), (600.0, False)])
def test_a_single_connection_is_believed_only_of_clocks_that_agree(
    offset_s: float,
    known: bool,
) -> None:
    world = World(10, count=1)

    if known:
        assert world.check(by_port(world.at_ns, world.ports, world.lines(offset_s))) == 1
    else:
        with pytest.raises(UsageError, match="does not fit"):
            by_port(world.at_ns, world.ports, world.lines(offset_s))


@pytest.mark.parametrize("offset_s", [0.0, 1.5, -30.0])
def test_behind_a_nat_the_pattern_of_times_finds_the_client(offset_s: float) -> None:
    world = World(7, count=1_000, rate=50.0)
    lines = world.lines(offset_s, jitter_ms=0.2, others=9_000)
    lines.port = world.random.integers(1_024, 65_000, len(lines.port)).astype(np.int32)

    found = by_time(world.at_ns, lines)

    assert abs(found.offset_ns / SECOND - offset_s) < 0.001
    assert world.check(found) >= 900


def test_behind_a_nat_a_log_that_spans_days_costs_no_more_and_does_not_break() -> None:
    world = World(11, count=300, rate=5.0)
    lines = world.lines(20.0, jitter_ms=0.2, others=300)
    lines.client[:] = 0
    lines.time_ns[300:] = BEGIN + world.random.integers(-(10**15), 10**15, 300)

    assert world.check(by_time(world.at_ns, lines)) >= 250


def test_behind_a_nat_even_distances_fit_anywhere_and_are_refused() -> None:
    world = World(8, count=500)
    world.at_ns = BEGIN + np.arange(500) * 10_000_000
    lines = world.lines(3.0, jitter_ms=0.1)

    with pytest.raises(UsageError, match="pattern"):
        by_time(world.at_ns, lines)


@given(seed=st.integers(0, 10_000), offset_s=st.floats(-50_000, 50_000), rate=st.floats(1, 2_000))
def test_what_is_joined_is_right(seed: int, offset_s: float, rate: float) -> None:
    world = World(seed, count=200, rate=rate, ports=50)

    try:
        found = by_port(world.at_ns, world.ports, world.lines(offset_s, others=500))
    except UsageError:
        assert rate > 20  # a port comes again within seconds, so that no second stands out
        return

    assert world.check(found) >= 100
