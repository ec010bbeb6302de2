"""All scenarios, in listing order. Add a new one to the file of its kind."""

from __future__ import annotations

from collections.abc import Mapping

from stress.errors import UsageError
from stress.lab.scenario import Scenario
from stress.lab.scenarios import balancing, chains, client_dependent, loads, outcomes, times
from stress.text.escape import did_you_mean

KINDS = (chains, outcomes, balancing, client_dependent, times, loads)


def scenarios() -> Mapping[str, Scenario]:
    """Every scenario by its name."""
    found = (each for kind in KINDS for each in vars(kind).values() if isinstance(each, Scenario))
    return {scenario.name: scenario for scenario in found}


def find(name: str) -> Scenario:
    """The scenario of that name.

    Raises:
        UsageError: there is none; the hint names the nearest.
    """
    known = scenarios()
    if name not in known:
        raise UsageError(f"the lab has no scenario named {name!r}", did_you_mean(name, known))
    return known[name]
