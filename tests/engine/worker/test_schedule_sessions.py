"""Who offers which session, and how often."""

from __future__ import annotations

import pytest

from stress.engine.worker.schedule import KEPT, Sessions
from stress.handshake import Session


def ticket(name: str, *, reusable: bool = False) -> Session:
    return Session(name, reusable)


def always(clients: int = 1) -> Sessions:
    return Sessions(1.0, clients, seed=1)


def test_an_empty_pool_offers_nothing() -> None:
    assert always().offer(0) is None


def test_a_ticket_is_offered_once_and_the_oldest_first() -> None:
    pool = always()
    first, second = ticket("first"), ticket("second")
    pool.keep(0, first, resumed=False)
    pool.keep(0, second, resumed=True)

    assert [pool.offer(0) for _ in range(3)] == [first, second, None]


def test_an_older_session_goes_round_and_is_kept_once() -> None:
    pool = always()
    one, other = ticket("one", reusable=True), ticket("other", reusable=True)
    pool.keep(0, one, resumed=False)
    pool.keep(0, other, resumed=False)
    pool.keep(0, one, resumed=True)

    assert [pool.offer(0) for _ in range(4)] == [one, other, one, other]


def test_clients_do_not_share() -> None:
    pool = always(2)
    pool.keep(0, ticket("mine"), resumed=False)

    assert pool.offer(1) is None


def test_nothing_left_is_nothing_kept() -> None:
    pool = always()
    pool.keep(0, None, resumed=False)

    assert pool.offer(0) is None


def test_the_pool_is_bounded_and_forgets_the_oldest() -> None:
    pool = always()
    for number in range(KEPT + 5):
        pool.keep(0, ticket(str(number)), resumed=False)

    assert pool.offer(0) == ticket("5")


@pytest.mark.parametrize("resumption", [0.0, 0.3, 0.7, 1.0])
def test_as_many_offer_as_planned(resumption: float) -> None:
    pool = Sessions(resumption, 1, seed=3)
    pool.keep(0, ticket("round", reusable=True), resumed=False)
    offers = sum(pool.offer(0) is not None for _ in range(4_000))

    assert offers == pytest.approx(4_000 * resumption, abs=100)


def test_the_fraction_may_change_in_the_middle_of_a_run() -> None:
    """A sweep makes full handshakes first, which leave sessions for the resumed ones."""
    pool = Sessions(1.0, 1, seed=3)
    pool.resumption = 0.0
    pool.keep(0, ticket("first"), resumed=False)
    offered = pool.offer(0)
    pool.resumption = 1.0

    assert offered is None
    assert pool.offer(0) == ticket("first")
