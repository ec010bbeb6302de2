from __future__ import annotations

import pytest

from stress.errors import UsageError
from stress.host.limits import Machine
from stress.model.client import Client
from stress.model.plan import Close, Sweep
from stress.planning.load import check_kinds, sweep_of
from stress.planning.plan import plan_run
from stress.planning.request import Request

BOTH = ("rsa-only", "ecdsa-only")
GOAL = "failing<0.1%"


@pytest.mark.parametrize(
    ("words", "sweep"),
    [
        ((), ()),
        (("clients",), (Sweep.CLIENTS,)),
        (("Concurrency", "clients", "clients"), (Sweep.CONCURRENCY, Sweep.CLIENTS)),
    ],
)
def test_what_is_swept_over_is_read(words: tuple[str, ...], sweep: tuple[Sweep, ...]) -> None:
    assert sweep_of(Request(sweep=words, find_limit=GOAL)) == sweep


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (Request(sweep=("client",), find_limit=GOAL), "not one of clients, concurrency"),
        (Request(sweep=("clients",)), "there is no search for a limit"),
    ],
)
def test_what_is_no_sweep_is_explained(request_: Request, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        sweep_of(request_)


def test_one_kind_of_handshake_is_nothing_to_go_through() -> None:
    clients = (Client("generic"),)

    with pytest.raises(UsageError, match="generic is the only kind"):
        check_kinds((Sweep.CLIENTS,), clients, 0.0)

    check_kinds((Sweep.CLIENTS,), clients, 0.7)
    check_kinds((Sweep.CLIENTS,), (Client("a"), Client("b")), 0.0)
    check_kinds((Sweep.CONCURRENCY,), clients, 0.0)


def test_a_sweep_becomes_part_of_the_plan(machine: Machine) -> None:
    request = Request(
        targets=("127.0.0.1:443",), profile="capacity", clients=BOTH, sweep=("clients",)
    )

    plan = plan_run(request, now=0, machine=machine)

    assert plan.sweep == (Sweep.CLIENTS,)
    assert plan.load.rate == 50


def test_a_sweep_over_the_concurrency_offers_no_rate(machine: Machine) -> None:
    request = Request(targets=("127.0.0.1:443",), profile="capacity", sweep=("concurrency",))

    assert plan_run(request, now=0, machine=machine).load.rate is None


def test_a_search_does_not_use_up_the_local_ports(machine: Machine) -> None:
    """It begins at 50 a second, for which FIN would do; it ends as fast as the target takes it."""
    request = Request(targets=("127.0.0.1:443",), profile="capacity")

    assert plan_run(request, now=0, machine=machine).close is Close.RST
