"""Every hostile proxy, through both stacks, all at once."""

from __future__ import annotations

from contextlib import ExitStack
from time import monotonic_ns

import pytest
import trio

from stress.dialogues.dialogue import MOST_BYTES
from stress.engine.worker.attempt import AttemptSpec, WorkerContext
from stress.engine.worker.dial import Ports
from stress.engine.worker.dialogue_attempt import DialogueAttempt, openings
from stress.engine.worker.reactor import Reactor
from stress.engine.worker.timestamps import FLIGHT_BYTES
from stress.handshake import stack_for
from stress.model.outcome import Outcome, Side, Stage
from stress.model.plan import Address, Client, Limits, Plan, Proxy, Stack, Target
from stress.model.record import Record
from tests.hostile.conftest import serve_hostile
from tests.hostile.proxies import HostileProxy, corpus, greeting
from tests.servers.crooked import HOST, House

pytestmark = pytest.mark.slow

CORPUS = (*corpus(), greeting())
TIMEOUT_S, LATE_S = 3.5, 1.0
Rows = dict[HostileProxy, Record]


@pytest.fixture(scope="module")
def rows(house: House) -> dict[Stack, Rows]:
    """One attempt through every proxy by each stack, made at the same time."""
    with ExitStack() as servers:
        return {stack: trio.run(_all_at_once, servers, house, stack) for stack in Stack}


async def _all_at_once(servers: ExitStack, house: House, stack: Stack) -> Rows:
    factory = stack_for(Client("generic"), stack, server_name=HOST)
    reactor, ports, over = Reactor(), Ports(1), trio.Event()
    ended = list[DialogueAttempt]()

    def end(attempt: object) -> None:
        assert isinstance(attempt, DialogueAttempt)
        ended.append(attempt)
        if len(ended) == len(CORPUS):
            over.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(reactor.run)
        for number, one in enumerate(CORPUS):
            peer = serve_hostile(servers, one.behave, house, one.name)
            proxy = Proxy(one.scheme, peer.ip, peer.port, peer.ip)
            plan = Plan(Target(HOST), (), (), starttls=one.starttls, proxy=proxy)
            context = WorkerContext(
                (factory,),
                Limits(attempt_s=TIMEOUT_S),
                ports,
                reset=True,
                unix_offset_ns=0,
                proxy=peer,
                dialogues=openings(plan),
                reactor=reactor,
            )
            spec = AttemptSpec(number, monotonic_ns(), 0, Address(HOST, 443), 0, None, None)
            DialogueAttempt(spec, context, end).begin()
        await over.wait()
        nursery.cancel_scope.cancel()
    return {CORPUS[attempt.spec.id]: attempt.record for attempt in ended}


@pytest.mark.parametrize("stack", list(Stack), ids=str)
@pytest.mark.parametrize("server", CORPUS, ids=str)
def test_a_hostile_proxy_gets_the_right_outcome_and_stage_within_its_bounds(
    server: HostileProxy, stack: Stack, rows: dict[Stack, Rows]
) -> None:
    row = rows[stack][server]

    assert (row.outcome, row.stage) == (server.outcome, server.stage), row.detail
    assert row.total_ns < (TIMEOUT_S + LATE_S) * 1e9
    assert row.bytes_received <= MOST_BYTES + 2 * FLIGHT_BYTES
    if row.stage == Stage.PROXY:
        assert Outcome.parse(row.outcome).side is Side.OURS
        assert (row.proxy_ns, row.server_ns, row.handshake_ns) == (None, None, None)
        assert "proxy" in (row.detail or "")
    else:
        assert row.proxy_ns is not None
