from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.errors import UsageError
from stress.model.plan import Address, Client, Load, Plan, Segment, Target
from stress.vantage.messages import Examined
from stress.vantage.shares import dealt, divided, level, shares_of

THERE = Examined("host", (), {}, 2, 1_000, 3_000.0, "", (Address("192.0.2.1", 443),), 60.0)


def test_count_rate_and_concurrency_are_totals() -> None:
    load = Load(1_001, None, 64, 300.0, (Segment(100.0, 5.0, 300.0),))

    parts = divided(load, [THERE] * 3)

    assert [part.count for part in parts] == [334, 334, 333]
    assert [part.concurrency for part in parts] == [22, 21, 21]
    assert sum(part.rate or 0 for part in parts) == pytest.approx(300)
    assert [part.segments[0].rate for part in parts] == pytest.approx([100 / 3] * 3)
    assert [part.segments[0].to for part in parts] == pytest.approx([100] * 3)
    assert [part.processes for part in parts] == [2, 2, 2]


def test_who_cannot_carry_its_share_gets_what_it_can() -> None:
    small = Examined("pi", (), {}, 1, 20, 100.0, "", (), None)

    parts = divided(Load(900, None, 200, 900.0), [small, THERE, THERE])

    assert [part.rate for part in parts] == pytest.approx([100, 400, 400])
    assert [part.count for part in parts] == [100, 400, 400]
    assert [part.concurrency for part in parts] == [20, 90, 90]


def test_a_part_has_the_addresses_that_its_machine_sees_and_a_seed_of_its_own() -> None:
    plan = Plan(Target("a.test", 443), (), (Client("generic"),), seed=7)
    other = replace_addresses(THERE, "192.0.2.2")

    parts = shares_of(plan, [THERE, other])

    assert [str(part.addresses[0]) for part in parts] == ["192.0.2.1:443", "192.0.2.2:443"]
    assert [part.seed for part in parts] == [7, 8]


@pytest.mark.parametrize(
    ("rate", "authorized", "again_s"),
    [(150.0, None, None), (150.0, "yes", 60.0), (9.0, None, 60.0)],
)
def test_no_address_joins_a_part_that_the_total_needs_consent_for(
    rate: float, authorized: str | None, again_s: float | None
) -> None:
    load = Load(900, None, 64, rate)
    plan = Plan(Target("a.test", 443), (), (Client("generic"),), load, authorized=authorized)

    parts = shares_of(plan, [THERE] * 3)

    assert [part.resolve_again_s for part in parts] == [again_s] * 3


def replace_addresses(there: Examined, ip: str) -> Examined:
    return Examined(
        there.host,
        (),
        {},
        there.cores,
        there.in_flight,
        there.rate,
        "",
        (replace(there.addresses[0], ip=ip),),
        None,
    )


@pytest.mark.parametrize(
    ("load", "processes", "told"),
    [
        (Load(2), None, "--count: 2 for 3 vantages"),
        (Load(9, None, 2), None, "--concurrency: 2 for 3 vantages"),
        (Load(9, None, 9), 1, "--processes: 1 for 3 vantages"),
        (Load(None, 9.0, 9_000), None, "--concurrency: 9,000 in flight is more than"),
    ],
)
def test_too_little_or_too_much_is_refused(load: Load, processes: int | None, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        divided(load, [THERE] * 3, processes)


def test_a_rate_that_is_too_high_for_all_is_divided_equally() -> None:
    parts = divided(Load(9, None, 9, 12_000.0), [THERE] * 3)

    assert [part.rate for part in parts] == pytest.approx([4_000] * 3)


def test_weights_divide_what_there_is_as_far_as_the_machines_can_carry_it() -> None:
    small = Examined("pi", (), {}, 1, 1_000, 100.0, "", (), None)

    twice = divided(Load(900, None, 90, 90.0), [THERE] * 2, wishes=[2.0, 1.0])
    bounded = divided(Load(900, None, 90, 900.0), [small, THERE, THERE], 7, wishes=[9.0, 2.0, 1.0])

    assert [(one.count, one.concurrency) for one in twice] == [(600, 60), (300, 30)]
    assert [one.rate for one in twice] == pytest.approx([60, 30])
    assert [one.rate for one in bounded] == pytest.approx([100, 800 * 2 / 3, 800 / 3])
    assert [one.processes for one in bounded] == [5, 1, 1]


@given(st.integers(1, 40), st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_nothing_is_lost_by_dividing(number: int, more: int, random: Random) -> None:
    shares = level(
        [random.random() + 1 / number for _ in range(number)],
        [random.random() + 0.1 for _ in range(number)],
    )
    assert shares is not None

    parts = dealt(number + more, shares)

    assert sum(parts) == number + more
    assert min(parts) >= 1
