"""`tls-stress run`: open handshakes, record them into one run file, print the report."""

from __future__ import annotations

from stress.cli.options import RUN_OPTIONS, takes
from stress.errors import UsageError
from stress.planning.option import Section
from stress.planning.request import Request, options


@takes(*RUN_OPTIONS)
def run(request: Request) -> int:
    """Open handshakes, record them, print the report.

    Without a load option: 1,000 handshakes at 50/s, which detect a failure rate of 0.3% (95%
    confidence) and need nobody's consent. Ctrl-C ends a run early: what was recorded is reported.

    Exit codes: 0 clean, 1 failing, 2 usage (nothing was sent), 3 inconclusive, 4 invalid,
    130 interrupted.

    Examples:
        tls-stress run app.example.com
        tls-stress run app.example.com --client ios-urlsession --client go
        tls-stress run app.example.com --address 192.0.2.7=new -n 5000 --i-am-authorized
        tls-stress run app.example.com --until "failing<0.1%" --junit tls.xml --html report.html
    """
    from stress.cli.output import EXIT_CODES, Output
    from stress.planning.profile import filled
    from stress.planning.user_config import user_config
    from stress.runner.again import read_first_part
    from stress.runner.judge import Rejudgement
    from stress.runner.run import RunLocation, prepare, record

    settings, _ = filled(request)
    output, location = Output.of(settings), RunLocation.of(settings)
    if request.interrupted is None:
        with output.busy("preparing the run"):  # above all, resolving the target
            plan, first_part = prepare(request), None
    else:
        allowed = {field for field, option in options().items() if option.section is Section.OUTPUT}
        if request.profile == user_config().profile:  # set once, and not for this run
            allowed.add("profile")
        if request.given() - allowed - {"interrupted", "authorized", "cert", "key", "stores"}:
            raise UsageError(
                "--continue takes the target and the plan from the interrupted run",
                "Leave out everything but --cert, --key, --stores, --i-am-authorized and the output"
                " options.",
            )
        first_part, plan = read_first_part(request, location.folder)
    if settings.vantages and first_part is None:
        from stress.vantage.home import record_from

        path = record_from(settings, plan, location, output.display())
    else:
        path = record(plan, location, output.display(), first_part)
    made_now = first_part is None  # the first part may come from a stranger
    summary = output.show(
        path,
        Rejudgement(aia=plan.trust.aia and made_now, stores=plan.trust.stores or None),
        made_now=made_now,
    )
    return EXIT_CODES[summary.verdict]
