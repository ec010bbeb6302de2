from collections.abc import Callable
from dataclasses import replace

import pytest

from stress.analysis.compare.replay import matcher
from stress.model.plan import Address
from stress.model.record import Record
from stress.model.run import Run
from stress.model.summary import Condition


@pytest.fixture
def run(recorded: Callable[..., Run]) -> Run:
    plan = recorded([]).facts().plan
    clients = (plan.clients[0], replace(plan.clients[0], name="mute", server_name=False))
    return recorded(
        [],
        addresses=(Address("10.0.0.1", 443), Address("2001:db8::1", 443, "six")),
        plan=replace(plan, clients=clients, sources=("127.0.0.9",)),
    )


@pytest.mark.parametrize(
    ("dimension", "value"),
    [
        ("address", "[2001:db8::1]:443"),
        ("label", "six"),
        ("family", "ipv6"),
        ("client", "mute"),
        ("sni", "none"),
        ("vantage", "127.0.0.9"),
        ("tls_version", "TLS 1.2"),
    ],
)
def test_what_can_be_chosen_must_be_met(
    dimension: str, value: str, run: Run, record: Callable[..., Record]
) -> None:
    meets = matcher(run, (Condition(dimension, value),))

    assert meets(record(1, address=1, client=1, source=0, tls_version=0x0303))
    assert not meets(record(2))


@pytest.mark.parametrize("dimension", ["chain", "time", "local_port", "stage", "rate"])
def test_what_cannot_be_chosen_is_met_by_all(
    dimension: str, run: Run, record: Callable[..., Record]
) -> None:
    assert matcher(run, (Condition(dimension, "x"),))(record(1))


def test_all_conditions_must_be_met(run: Run, record: Callable[..., Record]) -> None:
    both = matcher(run, (Condition("family", "ipv6"), Condition("client", "mute")))

    assert both(record(1, address=1, client=1))
    assert not both(record(2, address=1))
    assert matcher(run, ())(record(3))
