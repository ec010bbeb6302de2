"""Starts a healthy lab server next to a high load, for the engine's canary handshakes.

A canary shows how late this machine itself is. The server is one small process on loopback, started
only for a search for the limit and for 200 handshakes a second and more: below that the load hardly
delays this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stress.errors import LabError
from stress.model.plan import Plan
from stress.model.target import Address

LEAST_RATE = 200.0
SCENARIO = "healthy"


def needs_canary(plan: Plan) -> bool:
    """Whether the load of the run is high enough to disturb this machine."""
    return bool(plan.find_limit) or (plan.load.rate or 0.0) >= LEAST_RATE


@contextmanager
def canary_for(plan: Plan, notify: Callable[[str], None]) -> Iterator[Address | None]:
    """Serves a canary during the run; None where the run needs none or none could be started."""
    if not needs_canary(plan):
        yield None
        return
    from stress.lab.farm import start  # noqa: PLC0415 - heavy

    try:
        farm = start(SCENARIO)
    except LabError as error:
        notify(f"no canary: {error.message}")
        yield None
        return
    with farm:
        yield farm.addresses[0]
