"""A known-good server beside the target, asked now and then by the same workers.

Whatever makes a canary slow is not the target: it is our event loop, our processor, our ports. So
its times and failures are kept apart from the target's, and are only used to doubt ourselves. The
canary is asked at about one per cent of the rate, one attempt at a time in each worker.
"""

from __future__ import annotations

from dataclasses import replace
from time import monotonic_ns

import trio

from stress.engine.worker.attempt import Attempt, AttemptSpec, WorkerContext
from stress.engine.worker.batcher import Batcher
from stress.model.outcome import OK
from stress.model.plan import Load
from stress.model.target import Address

ONE_OF = 100
SELDOM_S, OFTEN_S = 1.0, 0.1
"""Longest and shortest time between two canaries of one worker."""
NO_ID = -1


def interval_s(load: Load) -> float:
    """Seconds between two canaries of one worker."""
    rate = load.rate or 0.0
    return min(SELDOM_S, max(OFTEN_S, ONE_OF * load.processes / rate)) if rate else SELDOM_S


async def sing(address: Address, equipment: WorkerContext, outbox: Batcher, every_s: float) -> None:
    """Ask the canary, and send home how long it took, for ever."""
    plain = replace(equipment, holding=None, sessions=None, witness=None, preamble=None)
    while True:
        await trio.sleep(every_s)
        attempt = Attempt(AttemptSpec(NO_ID, monotonic_ns(), 0, address, 0, None, None), plain)
        record = await attempt.run()
        outbox.canaries.append(record.total_ns if record.outcome == OK.name else None)
