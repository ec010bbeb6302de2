"""Every hostile variant of every dialogue before TLS, through both stacks, all at once."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from time import monotonic_ns

import pytest
import trio

from stress.dialogues.dialogue import MOST_BYTES
from stress.engine.worker.attempt import AttemptSpec, WorkerContext
from stress.engine.worker.dial import Ports
from stress.engine.worker.dialogue_attempt import DialogueAttempt, openings
from stress.engine.worker.timestamps import FLIGHT_BYTES
from stress.handshake import stack_for
from stress.model.outcome import Stage
from stress.model.plan import Client, Limits, Plan, Stack, StartTls, Target
from stress.model.record import Record
from tests.hostile.conftest import serve_hostile
from tests.hostile.dialogues import HostileDialogue, corpus
from tests.servers.crooked import HOST, House

pytestmark = pytest.mark.slow

CORPUS = tuple(corpus())
TIMEOUT_S, LATE_S = 3.5, 1.0
Rows = dict[HostileDialogue, Record]


@pytest.fixture(scope="module")
def rows(house: House) -> dict[Stack, Rows]:
    """One attempt at every server by each stack, made at the same time."""
    with ExitStack() as servers:
        return {stack: trio.run(_all_at_once, servers, house, stack) for stack in Stack}


async def _all_at_once(servers: ExitStack, house: House, stack: Stack) -> Rows:
    factory = stack_for(Client("generic"), stack, server_name=HOST)
    limits = Limits(attempt_s=TIMEOUT_S)
    shared = WorkerContext((factory,), limits, Ports(1), reset=True, unix_offset_ns=0)
    contexts = {
        protocol: replace(shared, dialogues=openings(Plan(Target(HOST), (), (), starttls=protocol)))
        for protocol in StartTls
    }
    over, ended = trio.Event(), list[DialogueAttempt]()

    def end(attempt: object) -> None:
        assert isinstance(attempt, DialogueAttempt)
        ended.append(attempt)
        if len(ended) == len(CORPUS):
            over.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(shared.reactor.run)
        for number, one in enumerate(CORPUS):
            address = serve_hostile(servers, one.behave, house, one.name)
            spec = AttemptSpec(number, monotonic_ns(), 0, address, 0, None, None)
            DialogueAttempt(spec, contexts[one.protocol], end).begin()
        await over.wait()
        nursery.cancel_scope.cancel()
    return {CORPUS[attempt.spec.id]: attempt.record for attempt in ended}


@pytest.mark.parametrize("stack", list(Stack), ids=str)
@pytest.mark.parametrize("server", CORPUS, ids=str)
def test_a_hostile_dialogue_gets_the_right_outcome_and_stage_within_its_bounds(
    server: HostileDialogue, stack: Stack, rows: dict[Stack, Rows]
) -> None:
    row = rows[stack][server]

    assert (row.outcome, row.stage) == (server.outcome, server.stage), row.detail
    assert row.total_ns < (TIMEOUT_S + LATE_S) * 1e9
    if row.stage == Stage.STARTTLS:
        assert row.bytes_received <= MOST_BYTES + FLIGHT_BYTES
        assert (row.starttls_ns, row.server_ns, row.handshake_ns) == (None, None, None)
    else:
        assert row.starttls_ns is not None
