"""`tls-stress compare`: is it fixed, or worse?"""

from __future__ import annotations

from math import inf
from pathlib import Path

import click

from stress.cli import console
from stress.cli.options import command, option, option_of, results_option
from stress.errors import ExitCode, UsageError

_RUN = "Path of a run file, or a name in the results directory."


@command()
@click.argument("before", help=_RUN)
@click.argument("after", help=_RUN)
@option(
    "--tolerance",
    metavar="PART",
    default="10%",
    show_default=True,
    help="A latency is worse when it rose by more than this.",
)
@option_of("json", "Print the comparison as one JSON document.")
@results_option
def compare(before: str, after: str, *, tolerance: str, json: bool, results: Path | None) -> int:
    """Tell whether a fix helped, or something got worse.

    Compares the failure rates over all attempts and within each cause of the first run, and the
    latencies. Exits 0 not worse, 1 worse, 3 cannot tell, 4 not comparable.
    """
    from contextlib import ExitStack

    from stress.analysis.compare.compare import Change
    from stress.analysis.compare.compare import compare as compare_runs
    from stress.report import comparison
    from stress.report.summary import summarize
    from stress.runner.observers import BusySign
    from stress.runner.run import RESULTS
    from stress.store import locate, open_run

    folder, part = results or RESULTS, _part(tolerance)
    with ExitStack() as stack:
        one, two = (stack.enter_context(open_run(locate(run, folder))) for run in (before, after))
        stack.enter_context(BusySign(console.terminal(), "comparing"))
        found = compare_runs(one, two, (summarize(one), summarize(two)), part)
    console.print_data(
        comparison.comparison_document(found) if json else comparison.render_comparison(found)
    )
    return {
        Change.BETTER: ExitCode.CLEAN,
        Change.NOT_WORSE: ExitCode.CLEAN,
        Change.WORSE: ExitCode.FAILING,
        Change.UNKNOWN: ExitCode.INCONCLUSIVE,
        Change.NOT_COMPARABLE: ExitCode.INVALID,
    }[found.change]


def _part(text: str) -> float:
    """A tolerance such as `10%` or `0.1`.

    Raises:
        UsageError: it is not one.
    """
    number, percent = text.strip().removesuffix("%"), text.strip().endswith("%")
    try:
        part = float(number) / (100.0 if percent else 1.0)
    except ValueError:
        part = -1.0
    if not 0.0 <= part < inf:
        raise UsageError(f"--tolerance {text!r} is not a part", "write 10% or 0.1")
    return part
