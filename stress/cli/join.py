"""`tls-stress join`: the backend of each connection, from the balancer's own log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stress.cli import completion, console
from stress.cli.options import takes
from stress.cli.output import EXIT_CODES, Output
from stress.planning.request import FORMS, Request
from stress.runner.records import join as join_log
from stress.runner.run import RunLocation

Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        autocompletion=completion.runs,
        help="Path of a run file, or a name in the results directory.",
    ),
]
Logs = Annotated[
    list[Path],
    typer.Argument(metavar="LOG…", help="Logs of the balancer, plain or gzip, read as one."),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME|REGEX",
        help="haproxy, nginx, envoy, traefik, aws-alb, or a regular expression with the groups"
        " port, time, backend. [default: recognised]",
    ),
]
Nat = Annotated[
    bool,
    typer.Option(
        "--nat",
        help="A NAT changes the client ports: match by time alone, which is only a suggestion.",
    ),
]


@takes("json", *FORMS, "quiet", "name", "results")
def join(
    settings: Request, run: Run, log: Logs, format_: Format = None, *, nat: Nat = False
) -> int:
    """Find the backend of each connection in a balancer's log.

    Matches by client port and time; the offset between the clocks is estimated and reported.
    Writes a new run file with the dimension `backend`, and searches for causes again. Nothing is
    sent, and the run stays as it is.

    Exits as `report` does.

    Examples:
        tls-stress join nightly haproxy.log
        tls-stress join nightly access.log.1 access.log --format nginx
    """
    from stress.store import locate

    output, location = Output.of(settings), RunLocation.of(settings)
    with output.busy("searching the log") as sign:
        file, notify = locate(run, location.folder), sign.around(console.print_message)
        path = join_log(file, log, location, notify, form=format_, nat=nat)
    return EXIT_CODES[output.show(path).verdict]
