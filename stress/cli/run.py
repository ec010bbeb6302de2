"""`tls-stress run`: open handshakes, record them into one run file, print the report."""

from __future__ import annotations

from stress.cli.metrics import MetricsOption
from stress.cli.options import RequestOptions
from stress.cli.output import EXIT_CODES, Name, OutputOptions, Results
from stress.cli.recording import place_of, prepare, record, tell
from stress.cli.rejudge import AS_RECORDED, Review
from stress.cli.resume import refuse_other_words, take_up
from stress.cli.stop_options import Continue


def run(
    request: RequestOptions,
    output: OutputOptions,
    name: Name = None,
    results: Results = None,
    metrics: MetricsOption = None,
    interrupted: Continue = None,
) -> int:
    """Open handshakes, record them, print the report.

    Without a load option: 1,000 handshakes at 50 a second, which shows a failing share of 0.3%
    with 95% and needs nobody's consent. Ctrl-C ends a run well: what was recorded is reported.

    Exit codes: 0 clean, 1 failing, 2 usage (nothing was sent), 3 inconclusive, 4 invalid,
    130 interrupted.
    """
    output = output.serving(metrics).filled(request)
    place = place_of(request, results, name)
    review = AS_RECORDED
    if interrupted is None:
        plan = prepare(request)
        path = record(plan, place, output)
        review = Review(aia=plan.trust.aia)
    else:
        refuse_other_words(request)
        path = take_up(interrupted, place, output)
    return EXIT_CODES[tell(path, output, review).verdict]
