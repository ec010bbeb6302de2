"""Replays: given combinations in a given order, in rounds with a pause between them."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic_ns

import trio

from stress.engine.worker.loops import LoadRun, pause
from stress.engine.worker.schedule import Draw
from stress.model.plan import Replay
from stress.model.target import Address

PACE_S = 0.1
"""Between two tries: a replay asks about single connections, and must not be a load."""


class Script:
    """Deals the tries of a replay, in their order; a `AttemptSource`."""

    def __init__(self, replay: Replay, addresses: Sequence[Address]) -> None:
        self.addresses = list(addresses)
        self._tries = iter(replay.order)

    def join(self, address: Address) -> None:
        """Nothing new takes part in a replay; the indices of the others stay."""
        self.addresses.append(address)

    def draw(self) -> Draw:
        """The next try."""
        one = next(self._tries)
        return Draw(one.address, one.client, one.source, one.local_port)


async def in_rounds(flights: LoadRun, replay: Replay) -> None:
    """Try everything in order; the next round begins when the last has ended and time has passed.

    So a round that an outage fell into is one of several, and no combination is tried again while
    something on the way still remembers its last connection.
    """
    for number in range(replay.rounds):
        if number:
            await pause(flights, replay.gap_s)
        async with trio.open_nursery() as nursery:
            for _ in range(replay.round_size):
                await flights.turn()
                job = flights.job(monotonic_ns())
                if job is None:
                    return
                nursery.start_soon(flights.fly, job)
                await pause(flights, PACE_S)
