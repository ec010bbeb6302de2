"""`tls-stress report`: the report of a recorded run, from its file."""

from __future__ import annotations

from stress.cli.options import command, option_of, run_argument, takes
from stress.planning.request import FORMS, Request


@command()
@takes("json", *FORMS, "quiet", "results", "stores")
@run_argument
@option_of(
    "assertions", "Judge the run by this instead of its own goals and assertions; repeatable."
)
@option_of("policy", "Validate the recorded chains by this trust policy instead.")
@option_of("at", "Validate the recorded chains as of TIME: a date, an RFC 3339 time or +30d.")
@option_of("aia")
def report(
    settings: Request,
    run: str | None,
    assertions: tuple[str, ...],
    policy: str | None,
    at: str | None,
    *,
    aia: bool,
) -> int:
    """Print the report of a recorded run again.

    Exits as that run did: 0 clean, 1 failing, 3 inconclusive, 4 invalid, 130 interrupted. With
    --policy or --at the recorded chains are re-evaluated; the run file stays as it is.
    """
    from time import time

    from stress.cli.output import EXIT_CODES, Output
    from stress.planning.trust_options import policy_name
    from stress.runner.rejudge import Rejudgement
    from stress.runner.run import RunLocation
    from stress.store import locate
    from stress.text.datetimes import moment
    from stress.text.units import option

    rejudgement = Rejudgement(
        assertions,
        option("--policy", policy_name, policy),
        option("--at", lambda text: moment(text, int(time())), at),
        aia,
        settings.stores,
    )
    file = locate(run, RunLocation.of(settings).folder)
    return EXIT_CODES[Output.of(settings).show(file, rejudgement).verdict]
