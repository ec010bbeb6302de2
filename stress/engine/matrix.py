"""The resumption matrix: which servers behind the addresses know each other's TLS sessions.

Up to TLS 1.2 a session may be offered again and again. One that a server gave is accepted by that
server, and by those that share its keys or its cache, and by nobody else: so each connection that
is offered a session says whether it met the same group of servers. One that refuses goes on with a
full handshake, and shows its own chain and, where its tickets have one, the name of its key.

First some sessions are collected. Then each connection offers one, half of them that of a
connection that failed. One connection is open at a time, so the target hardly feels it. What is
tricky:

* Who takes turns meets the servers in their order. So sessions are drawn at random, else a session
  and its server could miss each other for ever, and those of the newest connections all would.
* A cache forgets: the sessions that are offered are renewed, one by one.
* Where TLS 1.2 is not spoken, it is TLS 1.3, whose tickets are offered once (RFC 8446 appendix
  C.4). An accepted one leaves another of the same group.

Invariant: at most `PROBES` connections are opened.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from time import monotonic_ns, time_ns

import trio

from stress.engine import messages
from stress.engine.key_names import KeyNames
from stress.engine.recorder import Recorder
from stress.engine.worker import dial
from stress.engine.worker.attempt import Attempt, AttemptSpec, WorkerContext
from stress.engine.worker.dialogue_attempt import DialogueAttempt, openings
from stress.engine.worker.tickets import TicketSampler
from stress.engine.worker.timestamps import stamping
from stress.handshake import Session, factories
from stress.model.chain import Chain, Verdict
from stress.model.outcome import Outcome, Side
from stress.model.plan import PROBES, Address, Client, Close, Plan, Stack
from stress.model.record import Record
from stress.model.run import Probe, ResumptionMatrix
from stress.model.transcript import Transcript

COLLECTED = 48
"""Those at the beginning that offer nothing."""
KEPT = 24
"""Sessions of each kind that are offered."""
RENEWED = 0.25
"""Of the later ones as many take the place of one of these, drawn at random."""
LONGEST_S = 120.0
"""After this it ends, however many connections there were."""
RATE = 50.0
"""Connections a second, at most."""
_TLS_1_2, _TLS_1_3 = 0x0303, 0x0304
_PATIENCE = 3
"""Connections in TLS 1.2 that may fail before TLS 1.3 is tried instead."""
_NS = 1_000_000_000


class Offered:
    """A `SessionPool` that knows of each session from which probe it is."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(f"matrix {seed}")  # noqa: S311 - spreading load, no secret
        self._pools: defaultdict[tuple[int, bool], list[tuple[int, Session]]] = defaultdict(list)
        """By address, and whether the session's connection failed."""
        self.number = self.address = 0
        """The probe that is made, and the address that it connects to."""
        self.offered: int | None = None
        """The probe whose session it offers."""
        self.left: Session | None = None
        """The session that it left."""

    def offer(self, client: int) -> Session | None:
        """Draw a session; half of them are of failed connections."""
        del client
        self.offered = self.left = None
        found = (self._pools[self.address, failed] for failed in (True, False))
        pools = [pool for pool in found if pool]
        if self.number < COLLECTED or not pools:
            return None
        pool = self._chance.choice(pools)
        place = self._chance.randrange(len(pool))
        self.offered, session = pool[place]
        if not session.reusable:
            del pool[place]
        return session

    def keep(self, client: int, session: Session | None, *, resumed: bool) -> None:
        """Take what a good handshake left; an older one that was resumed is here already."""
        del client
        if session is not None and not (session.reusable and resumed):
            self.left = session

    def put(self, number: int, *, failed: bool) -> None:
        """Offer what the last attempt left, as that of this probe; at times, if there are many."""
        if self.left is not None:
            pool = self._pools[self.address, failed]
            if len(pool) < KEPT:
                pool.append((number, self.left))
            elif self._chance.random() < RENEWED:
                pool[self._chance.randrange(KEPT)] = number, self.left


class _Nowhere:
    """A sink that keeps nothing: the run is over, and its file has its rows."""

    def add_address(self, index: int, address: Address) -> None: ...
    def add_chain(self, chain: Chain, verdicts: Sequence[Verdict]) -> None: ...
    def add_records(self, records: Sequence[Record]) -> None: ...
    def add_transcripts(self, transcripts: Sequence[Transcript]) -> None: ...
    def commit(self, started: int) -> None: ...


def resumption_matrix(plan: Plan) -> ResumptionMatrix:
    """Connect to a plan's target, one connection after the other, as the plan's client does.

    What was seen before an interrupt counts.
    """
    first = plan.clients[0]
    found: list[Probe] = []
    interrupted = False
    for version, stack in ((_TLS_1_2, plan.stack_of(first)), (_TLS_1_3, Stack.OPENSSL)):
        found.clear()
        client = Client(
            "resumption", "", (version,), policy=first.policy, server_name=first.server_name
        )
        own = replace(plan, clients=(replace(client, stack=stack),), stack=None, identify=None)
        try:
            trio.run(_probe_all, own, found)
        except* KeyboardInterrupt:
            interrupted = True
        if interrupted or any(one.resumed is not None for one in found):
            break
    return ResumptionMatrix(version, tuple(found))


async def _probe_all(plan: Plan, found: list[Probe]) -> None:
    """Fill the list, probe by probe."""
    offers, names = Offered(plan.seed), KeyNames()
    context = WorkerContext(
        factories(plan),
        plan.limits,
        dial.Ports(plan.seed + 1, 0, 1),
        reset=plan.close is Close.RST,
        unix_offset_ns=time_ns() - monotonic_ns(),
        preamble=dial.preamble(plan.proxy_protocol),
        proxy=plan.proxy.address if plan.proxy else None,
        dialogues=openings(plan),
        tickets=TicketSampler(plan.seed, everything=True),
        sessions=offers,
    )
    recorder = Recorder(replace(plan, ticket_names=False), _Nowhere())
    kind = DialogueAttempt if context.dialogues else Attempt
    begun_ns = monotonic_ns()
    begins: list[str | None] = []
    async with stamping(), trio.open_nursery() as nursery:
        nursery.start_soon(context.reactor.run)
        while len(found) < PROBES and monotonic_ns() - begun_ns < LONGEST_S * _NS:
            number, over = len(found), trio.Event()
            offers.number, offers.address = number, number % len(plan.addresses)
            address = plan.addresses[offers.address]
            next_s = trio.current_time() + 1 / RATE
            spec = AttemptSpec(
                number, monotonic_ns(), offers.address, address, 0, 0 if plan.sources else None,
                plan.sources[0] if plan.sources else None,
            )  # fmt: skip
            attempt = kind(spec, context, lambda _, over=over: over.set())  # type: ignore[misc]
            attempt.begin()
            await over.wait()
            raw = attempt.record
            begins.append(raw.backend)
            if raw.backend is not None:
                names.learn(offers.address, raw.backend)
            chains = [attempt.chain] if attempt.chain else []
            (row,) = recorder.add(messages.Batch([raw._replace(backend=None)], chains))
            failed = Outcome.parse(row.outcome).side is Side.TARGET
            if row.resumed and offers.offered is not None:  # what the group was is known already
                failed = found[offers.offered].failed
            probe = Probe(
                offers.address, row.local_port, offers.offered, row.resumed, failed, row.outcome,
                row.chain.hex() if row.chain else None,
            )  # fmt: skip
            origin = number if offers.offered is None or not row.resumed else offers.offered
            offers.put(origin, failed=failed)
            found.append(probe)
            if len(found) == _PATIENCE and all(one.resumed is None for one in found):
                break
            await trio.sleep_until(next_s)
        nursery.cancel_scope.cancel()
    for number, (probe, begin) in enumerate(zip(found, begins, strict=True)):
        key = None if begin is None else names.name(probe.address, begin)
        found[number] = replace(probe, key=key)
