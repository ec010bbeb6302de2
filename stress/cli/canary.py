"""A healthy server of the lab's beside a load, for the engine's canaries.

Wired here, because the engine knows no lab. It is one small process on loopback, started only for
runs that are about a load: a search for the limit, or 200 handshakes a second and more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stress.cli import console
from stress.errors import LabError
from stress.model.plan import Plan
from stress.model.target import Address

LEAST_RATE = 200.0
"""Below this a load hardly makes this machine stall, and a server would only cost time."""
HEALTHY = "healthy"


def is_wanted(plan: Plan) -> bool:
    """Whether the run is about a load."""
    return bool(plan.find_limit) or (plan.load.rate or 0.0) >= LEAST_RATE


@contextmanager
def canary_for(plan: Plan) -> Iterator[Address | None]:
    """A known-good server while the run goes on; None where the run needs none, or has none."""
    if not is_wanted(plan):
        yield None
        return
    from stress.lab.farm import start  # noqa: PLC0415 - heavy

    try:
        farm = start(HEALTHY)
    except LabError as error:
        console.say(f"no canary: {error.message}")
        yield None
        return
    with farm:
        yield farm.addresses[0]
