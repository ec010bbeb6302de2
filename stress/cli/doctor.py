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


Proxy = Annotated[
    str | None,
    typer.Option(
        "--proxy",
        metavar="http|socks5://HOST:PORT",
        help="Check the route to this proxy, which resolves the target itself.",
    ),
]


def doctor(target: Target = None, *, proxy: Proxy = None) -> int:
    """Check this machine.

    Reports what would limit a run. Exits 0, or 4 when not even a default run would be valid.

    Examples:
        tls-stress doctor
        tls-stress doctor app.example.com
        tls-stress doctor app.example.com --proxy http://proxy.example.net:3128
    """
    import trio

    from stress.engine.preflight import HostCapacity, examine
    from stress.host.limits import has_route
    from stress.model.plan import StartTls
    from stress.model.plan import Target as Model
    from stress.planning.addresses import resolve
    from stress.planning.connection_options import ambient_proxy, read_proxy
    from stress.planning.targets import parse_target
    from stress.text.units import named

    routes: dict[str, bool] = {}
    if target is not None:  # only a DNS query leaves the machine
        parsed = parse_target(target)
        if protocol := StartTls.implied_by(parsed.port):
            means = f"a run asks for TLS first: port {parsed.port} implies it"
            console.print_data(f"{'STARTTLS':<20} {protocol.value:<24} {means}\n")
        if proxy is None:
            with console.busy(f"resolving {parsed.host}"):
                resolution = trio.run(resolve, parsed, None)
            routes = {str(address): has_route(address.ip) for address in resolution.addresses}
    if proxy is not None:
        through = named("--proxy", read_proxy, proxy)
        with console.busy(f"resolving {through.host}"):
            resolution = trio.run(resolve, Model(through.host, through.port), None)
        first = resolution.addresses[0]  # as a run does
        routes = {f"{first} ({through})": has_route(first.ip)}
    elif unused := ambient_proxy():
        console.print_data(f"{'proxy':<20} {'none':<24} {unused}; see --proxy\n")
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
