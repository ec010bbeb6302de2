"""`tls-stress run`: open handshakes, record them into one run file, print the report."""

from __future__ import annotations

from stress.cli.options import RequestOptions
from stress.cli.output import EXIT_CODES, output_of
from stress.cli.recording import place_of, prepare, record, tell
from stress.cli.rejudge import AS_RECORDED, Review
from stress.cli.resume import refuse_other_words, take_up


def run(request: RequestOptions) -> int:
    """Open handshakes, record them, print the report.

    Without a load option: 1,000 handshakes at 50 a second, which shows a failing share of 0.3%
    with 95% and needs nobody's consent. Ctrl-C ends a run well: what was recorded is reported.

    Exit codes: 0 clean, 1 failing, 2 usage (nothing was sent), 3 inconclusive, 4 invalid,
    130 interrupted.
    """
    output = output_of().filled(request)
    place = place_of(request, None, None)
    review = AS_RECORDED
    if request.interrupted is None:
        plan = prepare(request)
        path = record(plan, place, output)
        review = Review(aia=plan.trust.aia)
    else:
        refuse_other_words(request)
        path = take_up(request.interrupted, place, output)
    return EXIT_CODES[tell(path, output, review).verdict]
