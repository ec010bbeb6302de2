"""Runs against the whole corpus: one for each TLS stack and each kind of load, made once."""

from __future__ import annotations

import socket
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from time import time_ns

import pytest

from stress.engine import coordinator
from stress.engine.worker.attempt import UNNOTICED, UNREAD
from stress.engine.worker.loops import CLIENT_STALLED
from stress.model.plan import Address, Client, Close, Limits, Load, Plan, Stack, Target, Trust
from stress.model.record import Record
from stress.model.run import RunEnd
from stress.store import RunWriter, open_run
from tests.servers.corpus import CORPUS
from tests.servers.crooked import HOST, House
from tests.servers.hostile import Behaviour

ROUNDS = 2
TRIES = 3
"""Attempts at a run in which a busy machine did not reach every server."""
TIMEOUT_S = 2.5
LIMIT_BYTES = 2_000_000
LOADS = {
    "closed": Load(count=ROUNDS * len(CORPUS), concurrency=24),
    "open": Load(count=ROUNDS * len(CORPUS), concurrency=100, rate=60.0),
}


TOO_BUSY = frozenset({CLIENT_STALLED, UNREAD, UNNOTICED})
"""Why an attempt says nothing of its server: this machine had no time for it."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run against every server of the corpus."""

    ending: RunEnd
    file: Path
    rows: Mapping[str, Sequence[Record]]
    """By the server's name."""

    @property
    def has_asked_all(self) -> bool:
        """False where the machine was too busy to send anything to one of them."""
        return all(any(row.detail not in TOO_BUSY for row in rows) for rows in self.rows.values())


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return House(tmp_path_factory.mktemp("house"))


@pytest.fixture(scope="session")
def addresses(house: House) -> Iterator[tuple[Address, ...]]:
    """Every server of the corpus, in its order."""
    with ExitStack() as stack:
        yield tuple(serve_hostile(stack, each.behave, house, each.name) for each in CORPUS)


def serve_hostile(stack: ExitStack, behave: Behaviour, house: House, name: str) -> Address:
    server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64))
    threading.Thread(target=_accept, args=(server, behave, house), daemon=True).start()
    host, port = server.getsockname()[:2]
    return Address(host, port, name)


def _accept(server: socket.socket, behave: Behaviour, house: House) -> None:
    with suppress(OSError):
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_treat, args=(connection, behave, house), daemon=True).start()


def _treat(connection: socket.socket, behave: Behaviour, house: House) -> None:
    connection.settimeout(30)
    with connection, suppress(OSError):  # the client goes when it has seen enough
        behave(connection, house)


@pytest.fixture(scope="session")
def runs() -> dict[tuple[Stack, str], Run]:
    """What was run already."""
    return {}


@pytest.fixture(params=sorted(LOADS))
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of run in turn."""
    return str(request.param)


@pytest.fixture(params=list(Stack), ids=str)
def stack(request: pytest.FixtureRequest) -> Stack:
    """Each TLS library in turn."""
    return Stack(request.param)


@pytest.fixture
def run(
    runs: dict[tuple[Stack, str], Run],
    addresses: tuple[Address, ...],
    house: House,
    stack: Stack,
    kind: str,
    tmp_path: Path,
) -> Run:
    """The run of this stack and this kind of load."""
    if (stack, kind) not in runs:
        plan = _plan(addresses, house, stack, kind)
        for number in range(TRIES):
            runs[stack, kind] = _run(plan, tmp_path / f"hostile-{number}.db")
            if runs[stack, kind].has_asked_all:
                break
    return runs[stack, kind]


def _plan(addresses: tuple[Address, ...], house: House, stack: Stack, kind: str) -> Plan:
    return Plan(
        Target(HOST),
        addresses,
        (Client("generic"),),
        LOADS[kind],
        limits=Limits(attempt_s=TIMEOUT_S, connection_bytes=LIMIT_BYTES),
        trust=Trust(host=HOST, anchors=(house.root,), anchors_from="test", private=True),
        server_name=HOST,
        stack=stack,
        close=Close.RST,
    )


def _run(plan: Plan, path: Path) -> Run:
    writer = RunWriter(path, plan, started_ns=time_ns(), versions={}, host="here")
    ending = coordinator.run(plan, writer)
    writer.finish(ending)
    rows: dict[str, list[Record]] = defaultdict(list)
    with open_run(path) as run:
        for record in run.records():
            rows[plan.addresses[record.address].label or ""].append(record)
    return Run(ending, path, rows)
