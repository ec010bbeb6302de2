"""What a search for the limit goes through in one run."""

from __future__ import annotations

from collections.abc import Sequence

from stress.errors import UsageError
from stress.model.client import Client
from stress.model.plan import Sweep
from stress.planning.request import Request
from stress.planning.units import named
from stress.planning.words import chosen


def sweep_of(request: Request) -> tuple[Sweep, ...]:
    """Read what is swept over.

    Raises:
        UsageError: it is none, or nothing is searched for.
    """
    swept = tuple(
        dict.fromkeys(
            named("--sweep", lambda word: chosen(Sweep, word), word) for word in request.sweep
        )
    )
    if swept and request.find_limit is None:
        raise UsageError(
            "--sweep: no limit is searched for",
            "Say what shall hold: --find-limit 'p99.total<250ms, failing<0.1%'.",
        )
    return swept


def check_kinds(swept: Sequence[Sweep], clients: Sequence[Client], resumption: float) -> None:
    """Look whether there is more than one kind of handshake to go through.

    Raises:
        UsageError: there is one.
    """
    if Sweep.CLIENTS in swept and len(clients) == 1 and not resumption:
        raise UsageError(
            f"--sweep clients: {clients[0].name} is the only kind of handshake that is asked",
            "Add a --client, such as --client rsa-only --client ecdsa-only, or --resumption 100%.",
        )
