from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from stress.model.plan import Address, Client, Load, Plan, Target
from stress.runner.run import canary_for, needs_canary

PLAN = Plan(Target("lab.test", 443), (Address("127.0.0.1", 443),), (Client("generic"),))


@pytest.mark.parametrize(
    ("plan", "wanted"),
    [
        (PLAN, False),
        (replace(PLAN, load=Load(rate=50.0)), False),
        (replace(PLAN, load=Load(rate=200.0)), True),
        (replace(PLAN, find_limit="failing<1%"), True),
    ],
)
def test_only_a_load_gets_a_canary(plan: Plan, wanted: bool) -> None:
    assert needs_canary(plan) is wanted


def test_without_a_load_nothing_is_started() -> None:
    with canary_for(PLAN, print) as address:
        assert address is None


@pytest.mark.slow
def test_the_canary_lives_as_long_as_the_run() -> None:
    with canary_for(replace(PLAN, load=Load(rate=500.0)), print) as address:
        assert address is not None
        socket.create_connection((address.ip, address.port), timeout=10).close()

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address.ip, address.port), timeout=10)
