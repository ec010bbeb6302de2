"""Farms that change over time, at a pace that suits a test."""

from __future__ import annotations

import time
from datetime import datetime

import pytest

from stress.lab.farm import Farm, start
from tests.lab.client import Seen, handshakes

pytestmark = [pytest.mark.alone, pytest.mark.slow]


Timed = tuple[float, float, Seen]
"""Seconds since the start before and after an attempt, and its result."""


def repeat_for(farm: Farm, seconds: float) -> list[Timed]:
    """Open four handshakes at a time for that long."""
    began = time.monotonic()
    timed: list[Timed] = []
    while (before := time.monotonic() - began) < seconds:
        seen = handshakes(farm.addresses, 4)
        after = time.monotonic() - began
        timed += [(before, after, one) for one in seen]
    return timed


@pytest.mark.parametrize(
    ("name", "pace", "windows"),
    [
        ("bad-window", 0.1, [(0.8, 1.8)]),
        ("default-certificate-at-start", 0.2, [(0.8, 1.0)]),
    ],
)
def test_the_odd_chain_is_seen_in_the_planted_window_only(
    name: str, pace: float, windows: list[tuple[float, float]]
) -> None:
    """The farm counts from its first connection, which lies within our first attempt."""
    with start(name, seed=1, pace=pace) as farm:
        timed = repeat_for(farm, windows[-1][1] + 0.1)
        faulted = sum(farm.faulted().values())
        first_ns, windows_ns = farm.first_ns(), farm.windows_ns()
    _, first_s, first = timed[0]
    odd = [(before, after) for before, after, one in timed if one.chain != first.chain]

    assert {one.outcome for _, _, one in timed} == {"ok"}
    assert len(odd) == faulted > 0
    assert first_ns is not None
    assert [low for low, _ in windows] == pytest.approx(
        [(start_ns - first_ns) / 1e9 for start_ns, _ in windows_ns][: len(windows)]
    )
    for before, after in odd:
        assert any(before - first_s <= high and after >= low for low, high in windows)
    for low, high in windows:
        assert any(before - first_s <= high and after >= low for before, after in odd)


def test_a_certificate_expires_at_the_moment_that_the_farm_names() -> None:
    with start("expires-during-run", pace=0.5) as farm:
        seen = handshakes(farm.addresses, 8)
        ((start_ns, end_ns),) = farm.windows_ns()
    ((dimension, value),) = farm.planted.dimensions

    assert dimension == "time"
    assert end_ns is None
    assert datetime.fromisoformat(value.removeprefix("from ")).timestamp() * 1e9 == start_ns
    assert value.removeprefix("from ") in farm.planted.sentence
    assert {one.outcome for one in seen} == {"ok"}
    assert len({one.chain for one in seen}) == 1
