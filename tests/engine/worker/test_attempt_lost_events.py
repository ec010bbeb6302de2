"""Events that get lost are our fault: nothing of it may count against the target."""

from __future__ import annotations

import random
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import monotonic_ns

import pytest
import trio

from stress.engine.worker.attempt import UNNOTICED, UNREAD, Attempt, AttemptSpec
from stress.engine.worker.poller import READABLE, Poller, SelectorPoller, best_poller
from stress.engine.worker.reactor import Reactor
from stress.model.outcome import Outcome, Side, Stage
from stress.model.plan import Address, Limits
from stress.model.record import Record
from tests.engine.conftest import Behaviour, Serve, finished, leave, reset, silent, speak
from tests.engine.worker.test_attempt import worker_context
from tests.stacks import main_stack

QUICK = Limits(attempt_s=0.3, after_handshake_s=0.2)


class Lossy:
    """Passes a poller's events on, but for those that are to be lost."""

    def __init__(self, poller: Poller, loses: Callable[[int], bool]) -> None:
        self._poller, self._loses, self._seen = poller, loses, 0
        self.fileno, self.close = poller.fileno, poller.close
        self.watch, self.change, self.forget = poller.watch, poller.change, poller.forget

    def ready(self, wait_s: float) -> list[tuple[int, int]]:
        """What is left; `loses` is asked for each event by its number, from 0."""
        kept = []
        for each in self._poller.ready(wait_s):
            if not self._loses(self._seen):
                kept.append(each)
            self._seen += 1
        return kept


def attempt(address: Address, loses: Callable[[int], bool], limits: Limits = QUICK) -> Record:
    reactor = Reactor(Lossy(best_poller(), loses))
    tools = replace(worker_context(main_stack(), limits=limits), reactor=reactor)
    spec = AttemptSpec(1, monotonic_ns(), 0, address, 0, None, None)
    return trio.run(finished, spec, tools).record


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [(leave, "eof"), (reset, "reset"), (silent, "timeout-handshake"), (None, "local-lag")],
)
def test_with_all_events_lost_the_socket_itself_says_what_happened(
    serve: Serve, tls: ssl.SSLContext, behaviour: Behaviour | None, outcome: str
) -> None:
    record = attempt(serve(behaviour or speak(tls)), lambda _: True)

    assert (record.outcome, record.stage) == (outcome, Stage.CLIENT_HELLO)
    assert record.detail == (UNREAD if outcome == "local-lag" else None)


def test_what_a_server_says_after_the_handshake_is_read_at_last(
    serve: Serve, tls: ssl.SSLContext, pki: tuple[Path, bytes]
) -> None:
    """Only the first event arrives; the refusal comes with the second."""
    strict = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    strict.load_cert_chain(pki[0])
    strict.verify_mode = ssl.CERT_REQUIRED
    strict.load_verify_locations(cadata=pki[1])

    kept = attempt(serve(speak(tls)), lambda number: number > 0)
    refused = attempt(serve(speak(strict)), lambda number: number > 0)

    assert (kept.outcome, kept.stage) == ("ok", Stage.FINISHED)
    assert refused.outcome == "client-certificate-required"
    assert refused.stage == Stage.AFTER_HANDSHAKE


@pytest.mark.slow
def test_a_connection_that_opened_unnoticed_is_no_timeout_of_the_target() -> None:
    """The accept queue is full, so the SYN is lost; Linux sends another after a second."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(server.getsockname()[:2])
        server.setblocking(False)

        def loses(_: int) -> bool:
            return True

        async def main() -> Record:
            over = trio.Event()
            reactor = Reactor(Lossy(best_poller(), loses))
            limits = Limits(attempt_s=2, connect_s=1.8)
            tools = replace(worker_context(main_stack(), limits=limits), reactor=reactor)
            address = Address(*server.getsockname()[:2])
            spec = AttemptSpec(1, monotonic_ns(), 0, address, 0, None, None)
            one = Attempt(spec, tools, lambda _: over.set())
            async with trio.open_nursery() as nursery:
                nursery.start_soon(reactor.run)
                one.begin()
                with trio.move_on_after(1.7):
                    while True:
                        await trio.lowlevel.wait_readable(server)
                        waiting.append(server.accept()[0])
                await over.wait()
                nursery.cancel_scope.cancel()
            return one.record

        record = trio.run(main)
        for sock in waiting:
            sock.close()

    assert (record.outcome, record.detail) == ("local-lag", UNNOTICED)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [best_poller, SelectorPoller])
def test_of_many_attempts_none_is_blamed_for_what_we_lost(
    serve: Serve, tls: ssl.SSLContext, kind: Callable[[], Poller]
) -> None:
    """Level-triggered, a lost event comes again, and nothing is lost at all."""
    draw = random.Random(7)
    ended: list[str] = []
    address = serve(speak(tls))
    reactor = Reactor(Lossy(kind(), lambda _: draw.random() < 0.3))
    limits = Limits(attempt_s=1.5, after_handshake_s=0.2)
    tools = replace(worker_context(main_stack(), limits=limits), reactor=reactor)

    async def main() -> None:
        over = trio.Event()

        def end(one: Attempt) -> None:
            ended.append(one.record.outcome)
            if len(ended) == 60:
                over.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(reactor.run)
            for _ in range(60):
                spec = AttemptSpec(1, monotonic_ns(), 0, address, 0, None, None)
                Attempt(spec, tools, end).begin()
            await over.wait()
            nursery.cancel_scope.cancel()

    trio.run(main)

    assert {Outcome.parse(each).side for each in ended} <= {Side.NOBODY, Side.OURS}
    assert ended.count("ok") > 20
    assert ("local-lag" in ended) == (kind is best_poller)


def test_the_rest_of_an_event_is_never_mistaken_for_another_connections() -> None:
    """A hint that nothing stands behind changes nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended: list[Attempt] = []
        address = Address(*server.getsockname()[:2])
        spec = AttemptSpec(1, monotonic_ns(), 0, address, 0, None, None)
        tools = worker_context(main_stack())
        one = Attempt(spec, tools, ended.append)
        one.begin()

        assert not one.on_ready(READABLE)

        assert not ended
        tools.reactor.cancel()
        assert [each.record.outcome for each in ended] == ["cancelled"]
