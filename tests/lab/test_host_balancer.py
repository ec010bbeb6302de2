"""Each policy deals connections out as its name says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.lab.blueprint import Balancing
from stress.lab.host import balancer


def test_round_robin_takes_turns() -> None:
    choose = balancer(Balancing.ROUND_ROBIN, [1, 1, 1], 0)

    assert [choose(port) for port in (5, 5, 9, 9, 5)] == [0, 1, 2, 0, 1]


def test_random_shares_are_the_weights_within_chance() -> None:
    choose = balancer(Balancing.RANDOM, [0.995, 0.005], 1)
    rare = sum(choose(1) for _ in range(20_000))

    assert 60 < rare < 140


def test_the_seed_repeats_a_random_balancer_and_another_does_not() -> None:
    first, again, other = (
        [choose(1) for _ in range(50)]
        for choose in (balancer(Balancing.RANDOM, [1, 1, 1], seed) for seed in (3, 3, 4))
    )

    assert first == again
    assert first != other


@given(st.integers(0, 65_535), st.integers(1, 20))
def test_a_port_always_meets_the_same_node(port: int, nodes: int) -> None:
    choose = balancer(Balancing.SOURCE_PORT, [1.0] * nodes, 0)

    assert choose(port) == choose(port) < nodes


@pytest.mark.parametrize("parity", [0, 1])
def test_a_port_hash_spreads_ports_of_one_parity_too(parity: int) -> None:
    """Linux gives even ports to connect() first; no node may starve of that."""
    choose = balancer(Balancing.SOURCE_PORT, [1.0] * 8, 0)
    dealt = Counter(choose(port) for port in range(32_768 + parity, 60_999, 2))

    assert min(dealt.values()) / max(dealt.values()) > 0.9
    assert len(dealt) == 8


@pytest.mark.parametrize("policy", Balancing)
@pytest.mark.parametrize("weights", [[], [1.0, 0.0], [-1.0]], ids=str)
def test_no_policy_takes_nothing_for_a_node(policy: Balancing, weights: Sequence[float]) -> None:
    with pytest.raises(ValueError, match="positive weights"):
        balancer(policy, weights, 0)
