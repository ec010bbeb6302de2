from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from stress.analysis.causes.live_anomalies import LiveAnomalies
from stress.model.record import Record

GOOD, BAD = bytes(32), bytes.fromhex("9d1d84524156") + bytes(26)
Make = Callable[..., Record]


def anomalies() -> LiveAnomalies:
    return LiveAnomalies(["192.0.2.1:443", "192.0.2.2:443"], ["generic", "go"])


def test_nothing_is_reported_without_failures(record: Make) -> None:
    watched = anomalies()
    watched.take([record(number, address=number % 2, outcome="ok") for number in range(100)])

    assert watched.sentences() == ()


def test_an_address_that_fails_more_often_is_named(record: Make) -> None:
    watched = anomalies()
    for number in range(400):
        bad = number % 2 == 1 and number % 20 == 1
        watched.take([record(number, address=number % 2, outcome="reset" if bad else "ok")])

    assert watched.sentences() == ("192.0.2.2:443: 20 of 200 fail (10%), elsewhere 0 of 200",)


def test_a_bad_chain_is_named_as_the_report_names_it(record: Make) -> None:
    watched = anomalies()
    watched.take([record(number, chain=GOOD, outcome="ok") for number in range(300)])
    watched.take([record(number, chain=BAD, outcome="expired-leaf") for number in range(5)])

    assert watched.sentences() == ("chain 9d1d84524156: 5 of 5 fail (100%), elsewhere 0 of 300",)
    assert watched.chains(4) == ["000000000000 ok 300", "9d1d84524156 expired-leaf 5"]
    assert watched.chains(1) == ["9d1d84524156 expired-leaf 5"]


def test_equal_failure_rates_are_no_anomaly(record: Make) -> None:
    """Looked at after each hundred: one false word in a hundred runs is too many for this test."""
    draw = random.Random(7)
    for _ in range(40):
        watched = anomalies()
        for _ in range(20):
            watched.take(
                [
                    record(
                        number,
                        address=draw.randrange(2),
                        client=draw.randrange(2),
                        outcome="reset" if draw.random() < 0.05 else "ok",
                    )
                    for number in range(100)
                ]
            )
            assert watched.sentences() == ()


@pytest.mark.parametrize("outcome", ["cancelled", "local-ports", "not-sent"])
def test_outcomes_on_our_side_are_no_anomaly(outcome: str, record: Make) -> None:
    watched = anomalies()
    watched.take([record(number, address=1, outcome=outcome) for number in range(50)])
    watched.take([record(number, address=0, outcome="ok") for number in range(50)])

    assert watched.sentences() == ()


def test_one_address_alone_has_nothing_to_be_worse_than(record: Make) -> None:
    watched = anomalies()
    watched.take([record(number, outcome="reset") for number in range(50)])

    assert watched.sentences() == ()
