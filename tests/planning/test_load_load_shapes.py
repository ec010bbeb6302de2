from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.errors import UsageError
from stress.host.limits import Machine
from stress.model.plan import Arrivals, Load, Segment
from stress.planning.load import (
    FILES_BESIDE,
    LEVELS,
    SHORTEST_S,
    amount_of,
    files_needed,
    held_open,
    highest,
    rate_blocks,
    segment,
    segment_text,
)
from stress.planning.profile import filled, read_profile
from stress.planning.request import Request

Write = Callable[[str, str], Path]
PROFILE = """
segments = [
  {rate = "20/s", duration = "10s"},
  {rate = 20, to = "100/s", duration = "1m"},
]
arrivals = "constant"
warm-up = "10s"
hold = "2s"
stop-on-refusal = true
"""


def load_of(machine: Machine, request: Request) -> Load:
    return amount_of(request, machine, attempt_s=1.0)[0]


def test_a_profile_says_a_shape(write: Write, machine: Machine) -> None:
    path = write("ramp.toml", PROFILE)

    request, _ = filled(Request(profile=str(path)))
    load = load_of(machine, request)

    assert load.segments == (Segment(20.0, 10.0), Segment(20.0, 60.0, 100.0))
    assert (load.count, load.duration_s, load.rate) == (None, 70.0, 100.0)
    assert load.arrivals is Arrivals.CONSTANT
    assert (load.warm_up_s, load.hold_s) == (10.0, 2.0)
    assert load.concurrency == 100
    assert request.stop_on_refusal is True


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("segments = 5", "line 1: segments"),
        ('segments = ["200/s for 3s"]', "segments"),
        ('segments = [{rate = "9/s"}]', "a segment has the keys rate"),
        ('segments = [{rate = "9/s", duration = "1s", until = 3}]', "duration, rate, until"),
        ('segments = [{rate = [1], duration = "1s"}]', "duration, rate"),
        ('segments = [{rate = "0", duration = "1s"}]', "a rate"),
        ('segments = [{rate = "9/s", duration = "0s"}]', "segments"),
        ('arrivals = "bursty"', "bursty"),
        ('hold = "long"', "long"),
        ('stop-on-refusal = "yes"', "stop-on-refusal"),
    ],
)
def test_a_shape_that_is_none_is_told_with_its_line(write: Write, line: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_profile(write("bad.toml", line))


@pytest.mark.parametrize(
    "rival",
    [
        Request(rate="5"),
        Request(duration="5s"),
        Request(count=5),
        Request(detect="1%"),
        Request(rate_blocks=True),
    ],
)
def test_only_one_may_say_how_much_and_how_fast(machine: Machine, rival: Request) -> None:
    with pytest.raises(UsageError, match="and `segments` both set") as caught:
        load_of(machine, replace(rival, segments=("9/s for 5s",)))

    assert caught.value.hint


def test_the_command_line_answers_how_long_alone(write: Write) -> None:
    path = write("ramp.toml", PROFILE)

    request, _ = filled(Request(profile=str(path), count=5))

    assert request.segments == ()


@pytest.mark.parametrize(
    ("request_", "held"),
    [
        (Request(rate="50", duration="1m"), 0),
        (Request(rate="50", duration="1m", hold="2s"), 100),
        (Request(rate="50", count=30, hold="2s"), 30),
        (Request(count=30, hold="2s"), 30),
        (Request(segments=("10/s to 90/s for 9s",), hold="1s"), 90),
    ],
)
def test_held_connections_need_open_files(machine: Machine, request_: Request, held: int) -> None:
    load = load_of(replace(machine, cores=1), request_)

    assert held_open(load) == held
    assert files_needed(load) == load.concurrency + held + FILES_BESIDE


def test_more_held_than_files_are_allowed_is_refused_with_the_number(machine: Machine) -> None:
    with pytest.raises(UsageError, match="and 60,000 held open need") as caught:
        load_of(machine, Request(rate="1000", duration="5m", hold="60s", concurrency=100))

    assert "ulimit -Hn" in str(caught.value.hint)


def test_holding_needs_a_bound(machine: Machine) -> None:
    with pytest.raises(UsageError, match="nothing bounds the number"):
        load_of(machine, Request(duration="1m", hold="60s"))


def test_a_search_for_the_concurrency_holds_nothing_open(machine: Machine) -> None:
    """There is no --count in a search; by the rate it finds how many may be open at once."""
    search = Request(find_limit="failing<1%", hold="1s")
    with pytest.raises(UsageError, match="nothing bounds the number") as caught:
        load_of(machine, replace(search, sweep=("concurrency",)))

    assert "Leave out --sweep concurrency" in str(caught.value.hint)
    assert load_of(machine, replace(search, rate="100")).rate == 100


@pytest.mark.parametrize("search", [None, "failing<1%"])
def test_the_concurrency_that_nobody_gave_leaves_room_for_what_is_held(
    machine: Machine, search: str | None
) -> None:
    request = Request(rate="700", hold="4s", find_limit=search)
    load = load_of(machine, request if search else replace(request, duration="5m"))

    assert held_open(load) == 2800
    assert files_needed(load) == machine.open_files


@given(st.floats(0.001, 10**5), st.floats(0.001, 10**5), st.floats(0.001, 10**5))
def test_a_segment_is_carried_as_text_without_loss(rate: float, to: float, seconds: float) -> None:
    words = segment_text({"rate": rate, "to": to, "duration": seconds})

    found = segment(words)

    assert found.to is not None
    assert (found.rate, found.to, found.seconds) == pytest.approx((rate, to, seconds), rel=1e-5)
    assert highest([found]) == max(found.rate, found.to)


def test_by_default_five_rates_are_offered_eight_times_for_ten_seconds() -> None:
    segments = rate_blocks(200.0, None, 1)

    assert Counter(segment.rate for segment in segments) == {
        50.0: 8,
        100.0: 8,
        150.0: 8,
        200.0: 8,
        250.0: 8,
    }
    assert {segment.seconds for segment in segments} == {10.0}


def test_the_order_is_drawn_and_every_round_has_each_rate_once() -> None:
    first, again, other = (rate_blocks(100.0, None, seed) for seed in (1, 1, 2))
    rounds = [tuple(each.rate for each in first[begin : begin + 5]) for begin in range(0, 40, 5)]

    assert first == again != other
    assert all(sorted(one) == [100.0 * level for level in LEVELS] for one in rounds)
    assert len(set(rounds)) > 1


@given(st.floats(40.0, 86_400.0), st.floats(0.1, 1e5))
def test_all_segments_together_last_as_long_as_asked(duration_s: float, rate: float) -> None:
    segments = rate_blocks(rate, duration_s, 0)

    assert sum(segment.seconds for segment in segments) == pytest.approx(duration_s)
    assert len(segments) >= 10
    assert segments[0].seconds >= SHORTEST_S - 1e-6


@pytest.mark.parametrize("duration_s", [0.0, 1.0, 39.9])
def test_too_short_a_time_is_explained(duration_s: float) -> None:
    with pytest.raises(UsageError, match="too short"):
        rate_blocks(100.0, duration_s, 0)
