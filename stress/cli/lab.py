"""`tls-stress lab`: the faulty farm, kept up for whoever wants to look at it."""

from __future__ import annotations

import signal
import textwrap
from shlex import join
from typing import TYPE_CHECKING, Annotated

import typer

from stress.cli import console

if TYPE_CHECKING:
    from stress.lab.farm import Farm

Scenario = Annotated[
    str, typer.Argument(metavar="SCENARIO", help="See `lab list`.", show_default=False)
]
Seed = Annotated[int, typer.Option(metavar="N", help="Of balancers and faults.")]

_WIDTH = 100
ENDINGS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


def list_scenarios() -> int:
    """List the scenarios.

    What a user of such a farm would live through.
    """
    from stress.lab.catalog import scenarios  # noqa: PLC0415 - heavy

    known = scenarios()
    beside = max(map(len, known)) + 2
    for name, scenario in known.items():
        entry = textwrap.fill(
            scenario.title,
            _WIDTH,
            initial_indent=name.ljust(beside),
            subsequent_indent=" " * beside,
            break_on_hyphens=False,
        )
        console.put(f"{entry}\n")
    return 0


def up(scenario: Scenario, seed: Seed = 0) -> int:
    """Keep the farm of a scenario up until Ctrl-C.

    Prints its address, the name to ask for, its CA file and a line that runs against it.
    """
    from stress.lab.farm import start  # noqa: PLC0415 - heavy

    with start(scenario, seed=seed) as farm:
        # Blocked only now, because the farm's processes would inherit it.
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
        console.put(_description(farm))
        signal.sigwait(ENDINGS)
    return 0


def run_words(farm: Farm) -> list[str]:
    """The words after `tls-stress` that run against this farm."""
    first = farm.addresses[0]
    words = ["run", f"{farm.host}:{first.port}"]
    for address in farm.addresses:
        label = f"={address.label}" if address.label else ""
        words += ["--address", f"{address}{label}"]
    words += ["--ca", str(farm.ca_file), "-n", str(farm.scenario.count)]
    for client in farm.scenario.clients:
        words += ["--client", client]
    return [*words, *farm.scenario.options]


def _description(farm: Farm) -> str:
    addresses = " ".join(str(address) for address in farm.addresses)
    return (
        f"scenario  {farm.scenario.name}: {farm.scenario.title}\n"
        f"planted   {farm.planted.sentence}\n"
        f"address   {addresses}\n"
        f"name      {farm.host}\n"
        f"CA file   {farm.ca_file}\n\n"
        f"{join(['tls-stress', *run_words(farm)])}\n"
    )
