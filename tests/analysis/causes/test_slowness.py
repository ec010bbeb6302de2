from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from types import ModuleType

import numpy as np
import pytest

from stress.analysis.causes.slowness import FACTOR, FLOOR_MS, slowness
from stress.model.claims import Basis


@pytest.fixture(scope="module")
def worlds() -> ModuleType:
    return import_module("benchmarks.structures")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "long tail",
        "slow everywhere",
        "rare second",
        "busy machine",
        "four seconds each",
        "twice as many pass",
    ],
)
def test_where_nobody_is_slower_nothing_is_claimed(worlds: ModuleType, name: str) -> None:
    assert worlds.HEALTHY[name].told(np.random.default_rng(91)) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["one address", "one address, a fifth", "all but one", "stalls", "a limit of 40/s"]
)
def test_what_is_slower_is_named(worlds: ModuleType, name: str) -> None:
    farm, where = worlds.SLOW[name]

    assert farm.told(np.random.default_rng(92)) == [where]


def test_a_shift_comes_with_its_interval(worlds: ModuleType) -> None:
    farm = worlds.Farm(slow=(3,), by_ms=40.0, attempts=1_000)
    (claim,) = slowness(farm.recording(np.random.default_rng(93)))

    assert (claim.basis, claim.failures, claim.precision) == (Basis.SLOW, 0, 0.0)
    assert claim.attempts + claim.elsewhere.attempts == 1_000
    assert claim.shift is not None
    assert claim.shift.percentile == 50.0
    ratio = claim.shift.there_us / claim.shift.elsewhere_us
    assert 1.0 < claim.shift.low < ratio < claim.shift.high
    assert ratio >= FACTOR
    assert claim.shift.there_us - claim.shift.elsewhere_us >= 1e3 * FLOOR_MS


def test_a_file_that_lies_about_its_blocks_costs_no_more(worlds: ModuleType) -> None:
    """With blocks of a nanosecond each attempt is a billion blocks away from the next."""
    honest = worlds.Farm(slow=(3,), by_ms=40.0, attempts=1_000).recording(np.random.default_rng(93))
    lying = replace(honest, cube=replace(honest.cube, block_ns=1))

    (claim,) = slowness(lying)

    assert claim.conditions == next(iter(slowness(honest))).conditions


@pytest.mark.parametrize("by_ms", [0.0, 10.0])
def test_a_small_shift_does_not_matter(worlds: ModuleType, by_ms: float) -> None:
    farm = worlds.Farm(tail=0.1, slow=(3,), by_ms=by_ms, attempts=1_000)

    assert farm.told(np.random.default_rng(94)) == []


def test_ten_attempts_say_nothing(worlds: ModuleType) -> None:
    farm = worlds.Farm(slow=(3,), by_ms=900.0, attempts=10)

    assert farm.told(np.random.default_rng(95)) == []


def test_one_slow_address_alone_is_compared_with_nothing(worlds: ModuleType) -> None:
    farm = worlds.Farm(slow=(0,), by_ms=900.0, addresses=1, attempts=500)

    assert farm.told(np.random.default_rng(96)) == []


def test_a_stall_is_as_long_as_the_first_to_come_waited(worlds: ModuleType) -> None:
    farm = worlds.Farm(stall_ms=120.0, addresses=1, attempts=1_000, tail=0.2)
    (claim,) = slowness(farm.recording(np.random.default_rng(97)))

    assert claim.category == "stalls"
    assert claim.stalls is not None
    assert claim.stalls.count > 20
    assert 110_000 < claim.stalls.typical_us < 135_000


def test_slow_handshakes_that_others_overtake_are_no_stall(worlds: ModuleType) -> None:
    farm = worlds.Farm(slow=(0,), part=0.3, by_ms=120.0, addresses=1, attempts=1_000)

    assert farm.told(np.random.default_rng(98)) == []


@pytest.mark.slow
def test_a_window_in_which_all_are_slower_is_a_time(worlds: ModuleType) -> None:
    (told,) = worlds.Farm(window=(20.0, 35.0)).told(np.random.default_rng(99))

    assert told.startswith("between ")


@pytest.mark.parametrize(("passes", "per_s"), [(60.0, 100.0), (8.0, 12.0), (300.0, 500.0)])
def test_a_limit_that_delays_is_told_with_the_rate_that_passes(
    worlds: ModuleType, passes: float, per_s: float
) -> None:
    farm = worlds.Farm(passes=passes, per_s=per_s, addresses=1, attempts=round(20 * per_s))
    (claim,) = slowness(farm.recording(np.random.default_rng(100)))

    assert claim.category == "ceiling"
    assert claim.ceiling is not None
    assert claim.ceiling.per_s == pytest.approx(passes, rel=0.05)
    assert claim.ceiling.low <= passes <= claim.ceiling.high
    assert claim.ceiling.offered_per_s == per_s


def test_what_is_let_through_when_the_load_has_ended_hides_no_limit(worlds: ModuleType) -> None:
    """As HAProxy's `rate-limit sessions` does: then nothing for seconds, then all at once."""
    farm = worlds.Farm(passes=60.0, per_s=100.0, addresses=1, attempts=1_500)
    recording = farm.recording(np.random.default_rng(103))
    begins = [one.started_ns for one in recording.good]
    last, rows = max(begins), []
    for one in recording.good:
        late = one.started_ns + (one.server_ns or 0) > last
        until = last + 25_000_000_000 + 4_000_000_000 * (one.id % 3 == 0)
        rows.append(one._replace(server_ns=until - one.started_ns) if late else one)

    (claim, *_) = slowness(replace(recording, good=tuple(rows)))

    assert claim.category == "ceiling"
    assert claim.ceiling is not None
    assert claim.ceiling.per_s == pytest.approx(60.0, rel=0.08)


def test_a_limit_of_one_address_is_told_there(worlds: ModuleType) -> None:
    farm = worlds.Farm(addresses=4, per_s=200.0, attempts=4_000)
    recording = farm.recording(np.random.default_rng(101))
    ended, rows = 0.0, []
    for one in recording.good:  # the third address lets 30 of its 50 a second in
        began = one.started_ns / 1e9
        if one.address == 2:
            ended = max(began + one.server_ns / 1e9, ended + 1.0 / 30.0)
            one = one._replace(server_ns=round(1e9 * (ended - began)))  # noqa: PLW2901
        rows.append(one)
    (claim,) = slowness(replace(recording, good=tuple(rows)))

    assert [(one.dimension, one.value) for one in claim.conditions] == [
        ("address", "127.0.0.3:443")
    ]
    assert claim.ceiling is not None
    assert claim.ceiling.per_s == pytest.approx(30.0, rel=0.05)
    assert claim.inside.attempts == sum(one.address == 2 for one in rows)


def test_judged_again_there_may_be_no_good_handshake_left(worlds: ModuleType) -> None:
    farm = worlds.Farm(passes=60.0, per_s=100.0, addresses=1, attempts=2_000)
    recording = farm.recording(np.random.default_rng(100))
    outcomes = replace(recording.table.outcomes, values=("expired-leaf",))
    refused = replace(recording, table=replace(recording.table, outcomes=outcomes))

    assert [one.ceiling for one in slowness(refused)] == [
        one.ceiling for one in slowness(recording)
    ]


@pytest.mark.parametrize("passes", [55.0, 1_000.0])
def test_a_limit_above_the_offered_rate_is_none(worlds: ModuleType, passes: float) -> None:
    farm = worlds.Farm(passes=passes, addresses=1, attempts=1_000)
    found = slowness(farm.recording(np.random.default_rng(102)))

    assert not [one for one in found if one.ceiling]
