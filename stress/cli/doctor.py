"""`tls-stress doctor`: is this machine able to run such a load, and what would be the limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from stress.cli import console
from stress.errors import ExitCode

if TYPE_CHECKING:
    from stress.engine.preflight import HostFact

Target = Annotated[
    str | None,
    typer.Argument(
        metavar="TARGET",
        help="Also: does it resolve, and is there a way to its addresses? No handshake is made.",
        show_default=False,
    ),
]


def doctor(target: Target = None) -> int:
    """Tell what this machine can do.

    And what would limit a run. Exits 0, or 4 when not even a default run could be believed.
    """
    from stress.engine.preflight import HostCapacity, examine  # noqa: PLC0415 - heavy

    ways = {} if target is None else _ways(target)
    found = examine(HostCapacity.here())
    for fact in found.facts:
        console.put(_line(fact))
    for address, there in ways.items():
        console.put(f"{'way to':<20} {address}  {'yes' if there else 'NO ROUTE'}\n")
    able = found.able and (not ways or any(ways.values()))
    console.put(f"\nLimit: {found.limit}\n" if able else "\nThis machine cannot do such a run.\n")
    return ExitCode.CLEAN if able else ExitCode.INVALID


def _line(fact: HostFact) -> str:
    mark = "NOT ENOUGH: " if fact.blocks else ""
    return f"{fact.name:<20} {fact.value:<24} {mark}{fact.means}".rstrip() + "\n"


def _ways(words: str) -> dict[str, bool]:
    """Address -> whether the kernel knows a way to it. Only a DNS query leaves the machine."""
    import trio  # noqa: PLC0415 - heavy

    from stress.host.limits import has_route  # noqa: PLC0415 - heavy
    from stress.planning import resolve  # noqa: PLC0415 - heavy
    from stress.planning.targets import parse_target  # noqa: PLC0415 - heavy

    target = parse_target(words)
    found = trio.run(resolve, target, None)
    return {str(address): has_route(address.ip) for address in found.addresses}
