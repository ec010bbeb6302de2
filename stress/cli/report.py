"""`tls-stress report`: the report of a recorded run, from its file."""

from __future__ import annotations

from typing import Annotated

import typer

from stress.cli import completion
from stress.cli.options import option_of, takes
from stress.planning.option import Section
from stress.planning.request import FORMS, Request

Run = Annotated[
    str | None,
    typer.Argument(
        metavar="RUN",
        autocompletion=completion.runs,
        help="Path of a run file, or a name in the results directory. [default: the latest]",
        show_default=False,
    ),
]
Assert = Annotated[
    list[str] | None,
    option_of(
        "assertions", "Judge the run by this instead of its own goals and assertions; repeatable."
    ),
]
Policy = Annotated[
    str | None, option_of("policy", "Validate the recorded chains by this trust policy instead.")
]
At = Annotated[
    str | None,
    option_of("at", "Validate the recorded chains as of TIME: a date, an RFC 3339 time or +30d."),
]
Aia = Annotated[bool, option_of("aia")]
Share = Annotated[
    bool,
    typer.Option(
        "--share",
        help="Leave out local addresses, directories and the name of this machine.",
        rich_help_panel=Section.OUTPUT,
    ),
]


@takes("json", *FORMS, "quiet", "results", "stores")
def report(
    settings: Request,
    run: Run = None,
    assertion: Assert = None,
    policy: Policy = None,
    at: At = None,
    *,
    aia: Aia = False,
    share: Share = False,
) -> int:
    """Print the report of a recorded run again.

    Exits as that run did: 0 clean, 1 failing, 3 inconclusive, 4 invalid, 130 interrupted. With
    --policy or --at the recorded chains are re-evaluated; the run file stays as it is. FILE may be
    - for standard output.

    Examples:
        tls-stress report
        tls-stress report nightly --html report.html
        tls-stress report nightly --policy chrome --at +30d
    """
    from time import time

    from stress.cli.output import EXIT_CODES, Output
    from stress.planning.trust_options import policy_name
    from stress.runner.judge import Rejudgement
    from stress.runner.run import RunLocation
    from stress.store import locate
    from stress.text.units import moment, option

    rejudgement = Rejudgement(
        tuple(assertion or ()),
        option("--policy", policy_name, policy),
        option("--at", lambda text: moment(text, int(time())), at),
        aia,
        settings.stores,
    )
    file = locate(run, RunLocation.of(settings).folder)
    return EXIT_CODES[Output.of(settings).show(file, rejudgement, share=share).verdict]
