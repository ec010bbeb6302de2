"""`tls-stress compare`: is it fixed, or worse?"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from math import inf
from typing import Annotated

import typer

from stress.cli import completion, console
from stress.cli.options import option_of
from stress.cli.output import Results
from stress.errors import ExitCode, UsageError
from stress.runner.run import RESULTS

_RUN = "Path of a run file, or a name in the results directory."
Before = Annotated[
    str,
    typer.Argument(metavar="BEFORE", help=_RUN, show_default=False, autocompletion=completion.runs),
]
After = Annotated[
    str,
    typer.Argument(metavar="AFTER", help=_RUN, show_default=False, autocompletion=completion.runs),
]
Json = Annotated[bool, option_of("json", "Print the comparison as one JSON document.")]

Tolerance = Annotated[
    str,
    typer.Option(
        "--tolerance", metavar="PART", help="A latency is worse when it rose by more than this."
    ),
]


def compare(
    before: Before,
    after: After,
    *,
    tolerance: Tolerance = "10%",
    json: Json = False,
    results: Results = None,
) -> int:
    """Tell whether a fix helped, or something got worse.

    Compares the failure rates over all attempts and within each cause of the first run, and the
    latencies. Exits 0 not worse, 1 worse, 3 cannot tell, 4 not comparable.

    Examples:
        tls-stress compare before after
        tls-stress compare before after --tolerance 25% --json
    """
    number, percent = tolerance.strip().removesuffix("%"), tolerance.strip().endswith("%")
    try:
        part = float(number) / (100.0 if percent else 1.0)
    except ValueError:
        part = -1.0
    if not 0.0 <= part < inf:
        raise UsageError(f"--tolerance {tolerance!r} is not a part", "write 10% or 0.1")
    folder = results or RESULTS
    with ExitStack() as stack:
        stack.enter_context(console.busy("comparing", silent=json))
        from stress.analysis.compare.compare import Change
        from stress.analysis.compare.compare import compare as compare_runs
        from stress.report import comparison
        from stress.report.summary import summarize
        from stress.store import locate, open_run

        one, two = (stack.enter_context(open_run(locate(run, folder))) for run in (before, after))
        found = compare_runs(one, two, (summarize(one), summarize(two)), part)
    console.print_data(
        comparison.comparison_document(found)
        if json
        else comparison.render_comparison(found, console.width(sys.stdout))
    )
    return {
        Change.BETTER: ExitCode.CLEAN,
        Change.NOT_WORSE: ExitCode.CLEAN,
        Change.WORSE: ExitCode.FAILING,
        Change.UNKNOWN: ExitCode.INCONCLUSIVE,
        Change.NOT_COMPARABLE: ExitCode.INVALID,
    }[found.change]
