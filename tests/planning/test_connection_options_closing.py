from __future__ import annotations

import pytest

from stress.model.plan import Close, Load
from stress.planning.connection_options import closing_of, ports_spent

PORTS = 28_232


@pytest.mark.parametrize(
    ("load", "spent"),
    [
        (Load(1000, rate=50.0), 1000),
        (Load(20_000), 20_000),
        (Load(None, 30.0), None),
        (Load(None, 10.0, rate=100.0), 1000),
        (Load(None, 3600.0, concurrency=64, rate=100.0), 6064),
        (Load(1_000_000, concurrency=64, rate=100.0), 6064),
    ],
    ids=str,
)
def test_the_busiest_minute_is_what_counts(load: Load, spent: int | None) -> None:
    assert ports_spent(load) == spent


@pytest.mark.parametrize(
    ("load", "ports", "close"),
    [
        (Load(1000), PORTS, Close.FIN),
        (Load(PORTS // 2), PORTS, Close.FIN),
        (Load(PORTS // 2 + 1), PORTS, Close.RST),
        (Load(PORTS), 3 * PORTS, Close.FIN),
        (Load(None, 30.0), PORTS, Close.RST),
        (Load(None, 3600.0, rate=200.0), PORTS, Close.FIN),
        (Load(None, 3600.0, rate=500.0), PORTS, Close.RST),
    ],
    ids=str,
)
def test_auto_closes_politely_while_ports_allow(load: Load, ports: int, close: Close) -> None:
    closing = closing_of(Close.AUTO, load, ports)

    assert closing.close is close
    assert close.value.upper() in closing.note


@pytest.mark.parametrize("asked", [Close.FIN, Close.RST])
def test_what_is_asked_for_is_done(asked: Close) -> None:
    assert closing_of(asked, Load(10**6), PORTS).close is asked


def test_fin_against_reason_is_done_with_a_warning() -> None:
    assert "local ports may run out" in closing_of(Close.FIN, Load(10**6), PORTS).note


@pytest.mark.parametrize(("in_flight", "is_warned"), [(16, False), (17, True)])
def test_more_in_flight_than_ports_is_warned_of(in_flight: int, is_warned: bool) -> None:
    closing = closing_of(Close.AUTO, Load(1000, concurrency=in_flight), 16)

    assert ("only 16 of 17 can be open at the same time" in closing.note) is is_warned


def test_what_is_held_open_keeps_its_ports_too() -> None:
    load = Load(None, 600.0, concurrency=100, rate=1_000.0, hold_s=60.0)

    assert (
        "only 28,232 of 60,100 can be open at the same time"
        in closing_of(Close.AUTO, load, PORTS).note
    )
