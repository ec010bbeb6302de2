"""`tls-stress join`: which backend each connection met, from the balancer's own log."""

from __future__ import annotations

from pathlib import Path

import click

from stress.cli import console
from stress.cli.options import command, option, takes
from stress.planning.request import FORMS, Request


@command()
@takes("json", *FORMS, "quiet", "name", "results")
@click.argument("run", help="Path of a run file, or its name.")
@click.argument(
    "log",
    nargs=-1,
    required=True,
    type=Path,
    help="Logs of the balancer, gzipped or not, read as one.",
)
@option(
    "--format",
    "format_",
    metavar="NAME|REGEX",
    help="haproxy, nginx, envoy, traefik, aws-alb, or a regular expression with the groups"
    " port, time, backend. [default: recognised]",
)
@option(
    "--nat",
    is_flag=True,
    help="A NAT changes the client ports: go by times alone, which is a suggestion.",
)
def join(
    settings: Request, run: str, log: tuple[Path, ...], format_: str | None, *, nat: bool
) -> int:
    """Find in a balancer's log which backend each connection met.

    Goes by the client's port and the time; the difference of the clocks is found and told. Writes
    a new run file with the dimension `backend`, in which causes are searched again. Nothing is
    sent, and the run stays as it is.

    Exits as `report` does.
    """
    from stress.cli.output import EXIT_CODES, Output
    from stress.runner.join import join as join_log
    from stress.runner.run import RunLocation
    from stress.store import locate

    output, location = Output.of(settings), RunLocation.of(settings)
    path = join_log(
        locate(run, location.folder), log, location, console.print_message, form=format_, nat=nat
    )
    return EXIT_CODES[output.show(path).verdict]
