"""`tls-stress demo`: a faulty farm on this machine, a run against it, and the report."""

from __future__ import annotations

from typing import Annotated

import typer

from stress.cli import console
from stress.cli.lab import run_words
from stress.cli.metrics import MetricsOption
from stress.cli.options import option_of, parse
from stress.cli.output import EXIT_CODES, Name, OutputOptions, Results
from stress.cli.recording import place_of, prepare, record, tell
from stress.errors import ExitCode
from stress.model.summary import Answer

Scenario = Annotated[str, typer.Argument(metavar="SCENARIO", help="See `tls-stress lab list`.")]
Count = Annotated[
    str | None,
    option_of("count", "Open N handshakes in total. [default: per scenario; 20,000 for the first]"),
]


def demo(
    output: OutputOptions,
    scenario: Scenario = "missing-intermediate",
    count: Count = None,
    name: Name = None,
    results: Results = None,
    metrics: MetricsOption = None,
) -> int:
    """Find a bad node in a faulty farm on this machine.

    Starts the farm of a scenario, runs against it and prints the report. Needs nothing installed
    and no network. Exits 0 when it found what was planted, 1 when not.
    """
    from stress.cli.scoring import missed  # noqa: PLC0415 - heavy
    from stress.lab.farm import start  # noqa: PLC0415 - heavy
    from stress.text.units import option, positive_count  # noqa: PLC0415 - heavy

    option("--count", positive_count, count)  # before a whole farm is started for nothing
    output = output.serving(metrics)
    with start(scenario) as farm:
        words = run_words(farm)[1:]
        request = parse([*words, *(["-n", count] if count else [])])
        console.say(f"planted: {farm.planted.sentence}")
        path = record(prepare(request), place_of(request, results, name), output)
        planted, windows = farm.planted, farm.windows_ns()
    summary = tell(path, output)
    if summary.verdict in (Answer.INTERRUPTED, Answer.INVALID):
        return EXIT_CODES[summary.verdict]
    console.say(f"that farm is gone; to keep one up: tls-stress lab up {scenario}")
    left = missed(summary, planted, windows)
    for sentence in left:
        console.say(f"not found: {sentence}")
    if not left:
        console.say(f"found what was planted: {planted.sentence}")
    return ExitCode.FAILING if left else ExitCode.CLEAN
