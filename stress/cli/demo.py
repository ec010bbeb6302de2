"""`tls-stress demo`: a faulty farm on this machine, a run against it, and the report."""

from __future__ import annotations

from typing import Annotated

import typer

from stress.cli import completion, console
from stress.cli.options import option_of, parse, takes
from stress.cli.output import EXIT_CODES, Output
from stress.errors import ExitCode
from stress.model.summary import Answer
from stress.planning.request import FORMS, Request
from stress.runner.run import RunLocation, prepare, record
from stress.text.escape import PROGRAM, shell_line

Scenario = Annotated[
    str,
    typer.Argument(
        metavar="SCENARIO", autocompletion=completion.scenarios, help="See `tls-stress lab list`."
    ),
]
Count = Annotated[
    str | None,
    option_of("count", "Open N handshakes in total. [default: per scenario; 20,000 for the first]"),
]


@takes("json", *FORMS, "quiet", "name", "results", "metrics")
def demo(
    settings: Request, scenario: Scenario = "missing-intermediate", count: Count = None
) -> int:
    """Find a bad node in a faulty farm on this machine.

    Starts the farm of a scenario, runs against it and prints the report. Needs no installation and
    no network. Exits 0 when it found what was planted, 1 when not.

    Examples:
        tls-stress demo
        tls-stress demo stale-certificate --count 5000 --html report.html
    """
    from stress.lab.farm import start
    from stress.runner.scoring import missed
    from stress.text.units import option, positive_count

    # Checked before a whole farm is started in vain.
    option("--count", positive_count, count)
    output = Output.of(settings)
    with output.busy("starting the farm"):
        started = start(scenario)
    with started as farm:
        request = parse([*farm.run_words, *(["-n", count] if count else [])])
        console.print_message(f"planted: {farm.planted.sentence}")
        path = record(prepare(request), RunLocation.of(settings), output.display())
        planted, windows = farm.planted, farm.windows_ns()
    summary = output.show(path, made_now=True)
    if summary.verdict in (Answer.INTERRUPTED, Answer.INVALID):
        return EXIT_CODES[summary.verdict]
    console.print_message(
        f"The farm has stopped. To keep one running: {shell_line([PROGRAM, 'lab', 'up', scenario])}"
    )
    not_found = missed(summary, planted, windows)
    for sentence in not_found:
        console.print_message(f"not found: {sentence}")
    if not_found:
        return ExitCode.FAILING
    console.print_message(f"found what was planted: {planted.sentence}")
    return ExitCode.CLEAN
