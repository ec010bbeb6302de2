"""`tls-stress evidence`: the evidence of a run as a directory of files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stress.cli import console
from stress.cli.output import Results
from stress.cli.report import Run
from stress.errors import ExitCode
from stress.runner.judge import refuse_records
from stress.runner.run import RESULTS

Out = Annotated[
    Path,
    typer.Option("--out", metavar="DIR", help="A directory that is empty or does not exist yet."),
]
CauseNumber = Annotated[
    str | None,
    typer.Option("--cause", metavar="N", help="Only this cause of the report. [default: all]"),
]
Share = Annotated[
    bool,
    typer.Option(
        "--share", help="Leave out secrets, local addresses and names, so that it can be shared."
    ),
]


def evidence(
    out: Out,
    run: Run = None,
    cause: CauseNumber = None,
    *,
    share: Share = False,
    results: Results = None,
) -> int:
    """Write the evidence of a run's failures to a directory.

    For each cause: packets for Wireshark with the secrets inside, a failing and a good chain as PEM
    and how they differ, a timeline, and a script that reproduces the failure with openssl or curl.
    README.txt explains it.

    Examples:
        tls-stress evidence --out proof
        tls-stress evidence nightly --out proof --cause 1 --share
    """
    from stress.evidence.folder import Dossier, write
    from stress.report.summary import summarize
    from stress.store import locate, open_run
    from stress.text.units import option, positive_count

    number = option("--cause", positive_count, cause)
    with console.busy("collecting evidence"), open_run(locate(run, results or RESULTS)) as opened:
        facts = opened.facts()
        refuse_records(facts, "there is no evidence")
        dossier = Dossier(
            facts,
            summarize(opened),
            opened.chains(),
            opened.verdicts(),
            tuple(opened.transcripts()),
        )
        paths = list(write(out, dossier, cause=number, share=share))
    for path in paths:
        console.print_data(f"{path}\n")
    return ExitCode.CLEAN
