"""`tls-stress merge`: the run files of several machines become one."""

from __future__ import annotations

from typing import Annotated

import typer

from stress.cli import console
from stress.cli.options import takes
from stress.cli.output import EXIT_CODES, Output
from stress.planning.request import FORMS, Request, Where
from stress.runner.merge import merge as merge_files
from stress.runner.run import RunLocation
from stress.text.escape import chosen
from stress.text.units import named

Runs = Annotated[
    list[str],
    typer.Argument(
        metavar="[NAME=]RUN…",
        help="Run files, or names in the results directory; NAME becomes the name of the vantage."
        " [default: the name of the file, or of the machine]",
    ),
]


Rows = Annotated[
    str,
    typer.Option(
        "--rows",
        metavar="here|there",
        help="Whether the new file has a row for each good handshake, or these rows stay where they"
        " were made: then it is small, and its report says the same.",
    ),
]


@takes("json", *FORMS, "quiet", "name", "results")
def merge(settings: Request, run: Runs, rows: Rows = "here") -> int:
    """Merge the run files of several machines into one run.

    For CI matrices, Kubernetes Jobs, and files sent by mail. The runs must have the same plan;
    counts, rates and concurrency add up. The machines become the dimension `vantage` of the new
    file, in which causes are searched for. A run that is given twice is refused. Nothing is sent,
    and the files stay as they are.

    With `--rows there` one file will do: it becomes a small one, to be merged with others later.

    Exits as `report` does.

    Examples:
        tls-stress merge frankfurt.db home.db
        tls-stress merge home.db --rows there --name home-small
        tls-stress merge parts/*.db --name everywhere --html report.html
    """
    output, location = Output.of(settings), RunLocation.of(settings)
    thin = named("--rows", lambda text: chosen(Where, text), rows) is Where.THERE
    with output.busy(f"merging {len(run)} runs") as sign:
        path = merge_files(run, location, sign.around(console.print_message), thin=thin)
    return EXIT_CODES[output.show(path).verdict]
