"""`tls-stress doctor`: can this machine run such a load, and what would limit it?"""

from __future__ import annotations

from typing import Annotated

import typer

from stress.cli import console
from stress.errors import ExitCode

Target = Annotated[
    str | None,
    typer.Argument(
        metavar="TARGET",
        help="Also check that it resolves and that its addresses have a route. No handshake is"
        " made.",
        show_default=False,
    ),
]


def doctor(target: Target = None) -> int:
    """Check this machine.

    Reports what would limit a run. Exits 0, or 4 when not even a default run would be valid.

    Examples:
        tls-stress doctor
        tls-stress doctor app.example.com
    """
    import trio

    from stress.engine.preflight import HostCapacity, examine
    from stress.host.limits import has_route
    from stress.model.plan import StartTls
    from stress.planning.addresses import resolve
    from stress.planning.targets import parse_target

    routes: dict[str, bool] = {}
    if target is not None:  # only a DNS query leaves the machine
        parsed = parse_target(target)
        if protocol := StartTls.implied_by(parsed.port):
            means = f"a run asks for TLS first: port {parsed.port} implies it"
            console.print_data(f"{'STARTTLS':<20} {protocol.value:<24} {means}\n")
        with console.busy(f"resolving {parsed.host}"):
            resolution = trio.run(resolve, parsed, None)
        routes = {str(address): has_route(address.ip) for address in resolution.addresses}
    found = examine(HostCapacity.here())
    for fact in found.facts:
        mark = "NOT ENOUGH: " if fact.blocks else ""
        console.print_data(f"{fact.name:<20} {fact.value:<24} {mark}{fact.means}".rstrip() + "\n")
    for address, exists in routes.items():
        console.print_data(f"{'route to':<20} {address}  {'ok' if exists else 'NO ROUTE'}\n")
    able = found.able and (not routes or any(routes.values()))
    console.print_data(
        f"\nLimit: {found.limit}\n" if able else "\nThis machine cannot do such a run.\n"
    )
    return ExitCode.CLEAN if able else ExitCode.INVALID
