"""`tls-stress lab`: the faulty farm, kept running for whoever wants to look at it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Annotated

import typer

from stress.cli import completion, console
from stress.cli.options import group
from stress.errors import ExitCode
from stress.text.escape import PROGRAM, shell_line

if TYPE_CHECKING:
    from stress.lab.farm import Farm

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


def up(scenario: Scenario, seed: Seed = 0) -> int:
    """Keep the farm of a scenario running until Ctrl-C.

    Prints its addresses, its host name, its CA file and a command that tests it.

    Examples:
        tls-stress lab up missing-intermediate
    """
    from stress.lab.farm import start

    with start(scenario, seed=seed) as farm:
        # Blocked only now, because the farm's processes would inherit it.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        addresses = " ".join(str(address) for address in farm.addresses)
        console.print_data(
            f"scenario  {farm.scenario.name}: {farm.scenario.title}\n"
            f"planted   {farm.planted.sentence}\n"
            f"address   {addresses}\n"
            f"name      {farm.host}\n"
            f"CA file   {farm.ca_file}\n\n"
            f"{shell_line([PROGRAM, *run_words(farm)])}\n"
        )
        signal.sigwait(STOP_SIGNALS)
    return ExitCode.CLEAN


def run_words(farm: Farm) -> list[str]:
    """The command line, after `tls-stress`, of a run against this farm."""
    words = ["run", f"{farm.host}:{farm.addresses[0].port}"]
    for address in farm.addresses:
        label = f"={address.label}" if address.label else ""
        words += ["--address", f"{address}{label}"]
    trusted = ("--stores", farm.stores_file) if farm.stores_file else ("--ca", farm.ca_file)
    words += [*map(str, trusted), "-n", str(farm.scenario.count)]
    for client in farm.scenario.clients:
        words += ["--client", client]
    return [*words, *farm.scenario.options]


lab = group("A faulty farm of TLS servers on loopback.", {"list": list_scenarios, "up": up})
