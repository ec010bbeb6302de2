"""`tls-stress evidence`: the evidence of a run as a directory of files."""

from __future__ import annotations

from pathlib import Path

from stress.cli import console
from stress.cli.options import command, option, results_option, run_argument
from stress.errors import ExitCode


@command()
@run_argument
@option(
    "--out",
    metavar="DIR",
    required=True,
    type=Path,
    help="A directory that is empty or does not exist yet.",
)
@option("--cause", metavar="N", help="Only this cause of the report. [default: all]")
@option(
    "--share",
    is_flag=True,
    help="Leave out secrets, local addresses and names, so that it can be shared.",
)
@results_option
def evidence(
    run: str | None, out: Path, cause: str | None, *, share: bool, results: Path | None
) -> int:
    """Write the evidence of a run's failures to a directory.

    For each cause: packets for Wireshark with the secrets inside, a failing and a good chain as PEM
    and how they differ, a timeline, and a script that reproduces the failure with openssl or curl.
    README.txt explains it.
    """
    from stress.evidence.folder import Dossier, write
    from stress.report.summary import summarize
    from stress.runner.rejudge import refuse_records
    from stress.runner.run import RESULTS
    from stress.store import locate, open_run
    from stress.text.units import option, positive_count

    number = option("--cause", positive_count, cause)
    with open_run(locate(run, results or RESULTS)) as opened:
        facts = opened.facts()
        refuse_records(facts, "there is no evidence")
        dossier = Dossier(
            facts,
            summarize(opened),
            opened.chains(),
            opened.verdicts(),
            tuple(opened.transcripts()),
        )
    for path in write(out, dossier, cause=number, share=share):
        console.print_data(f"{path}\n")
    return ExitCode.CLEAN
