"""The engine's part of the resumption matrix; real servers are in tests/servers/test_matrix.py."""

from __future__ import annotations

from stress.engine.matrix import COLLECTED, KEPT, Offered
from stress.handshake import Session


def left(offers: Offered, number: int, *, failed: bool, reusable: bool = True) -> None:
    offers.number = number
    offers.keep(0, Session(object(), reusable), resumed=False)
    offers.put(number, failed=failed)


def test_nothing_is_offered_while_sessions_are_collected() -> None:
    offers = Offered(1)
    for number in range(COLLECTED):
        offers.number = number
        assert offers.offer(0) is None
        left(offers, number, failed=number == 3)

    offers.number = COLLECTED
    assert offers.offer(0) is not None


def test_half_of_the_offers_are_of_failed_connections() -> None:
    offers = Offered(1)
    for number in range(COLLECTED):
        left(offers, number, failed=number == 3)
    offers.number = COLLECTED

    drawn = []
    for _ in range(400):
        offers.offer(0)
        drawn.append(offers.offered)

    assert 160 < drawn.count(3) < 240
    assert len(set(drawn)) == KEPT + 1


def test_a_session_of_tls_1_3_is_offered_once() -> None:
    offers = Offered(1)
    left(offers, COLLECTED, failed=False, reusable=False)

    assert offers.offer(0) is not None
    assert offers.offer(0) is None


def test_sessions_stay_with_their_address() -> None:
    offers = Offered(1)
    left(offers, COLLECTED, failed=False)
    offers.address = 1

    assert offers.offer(0) is None
