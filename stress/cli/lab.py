"""`tls-stress lab`: the faulty farm, kept running for whoever wants to look at it."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer

from stress.cli import completion, console
from stress.cli.options import group
from stress.errors import ExitCode
from stress.text.escape import PROGRAM, shell_line

Scenario = Annotated[
    str,
    typer.Argument(
        metavar="SCENARIO",
        autocompletion=completion.scenarios,
        help="See `lab list`.",
        show_default=False,
    ),
]
Seed = Annotated[
    int, typer.Option("--seed", metavar="N", help="Random seed of balancers and faults.")
]

Log = Annotated[
    Path | None,
    typer.Option(
        "--log",
        metavar="FILE",
        help="Append a line for each connection that has ended, as HAProxy's `option tcplog`;"
        " `join` reads it.",
    ),
]

STOP_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


def list_scenarios() -> int:
    """List the scenarios.

    Each with what its users would notice.

    Examples:
        tls-stress lab list
    """
    from stress.lab.scenarios import scenarios

    console.print_titles({name: scenario.title for name, scenario in scenarios().items()})
    return ExitCode.CLEAN


def up(scenario: Scenario, seed: Seed = 0, log: Log = None) -> int:
    """Keep the farm of a scenario running until Ctrl-C.

    Prints its addresses, its host name, its CA file and a command that tests it.

    Examples:
        tls-stress lab up missing-intermediate
        tls-stress lab up one-ticket-key --log balancer.log
    """
    from stress.lab.farm import start

    with console.busy("starting the farm"):
        started = start(scenario, seed=seed, log=log)
    with started as farm:
        # Blocked only now, because the farm's processes would inherit it.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        addresses = " ".join(str(address) for address in farm.addresses)
        console.print_data(
            f"scenario  {farm.scenario.name}: {farm.scenario.title}\n"
            f"planted   {farm.planted.sentence}\n"
            f"address   {addresses}\n"
            f"name      {farm.host}\n"
            f"CA file   {farm.ca_file}\n\n"
            f"{shell_line([PROGRAM, 'run', *farm.run_words])}\n"
        )
        signal.sigwait(STOP_SIGNALS)
    return ExitCode.CLEAN


lab = group("A faulty farm of TLS servers on loopback.", {"list": list_scenarios, "up": up})
