"""All scenarios, in listing order. Add a new one to the file of its kind."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from stress.errors import UsageError
from stress.lab.scenario import Scenario, Scene
from stress.lab.scenarios import balancing, chains, client_dependent, loads, outcomes, times

KINDS = (chains, outcomes, balancing, client_dependent, times, loads)


def scenes() -> Mapping[str, Scene]:
    """Every scene by its scenario's name."""
    found = (each for kind in KINDS for each in vars(kind).values() if isinstance(each, Scene))
    return {scene.scenario.name: scene for scene in found}


def scenarios() -> Mapping[str, Scenario]:
    """Every scenario by its name."""
    return {name: scene.scenario for name, scene in scenes().items()}


def find(name: str) -> Scene:
    """The scene of that name.

    Raises:
        UsageError: there is none; the hint names the nearest.
    """
    known = scenes()
    if name not in known:
        near = get_close_matches(name, known, n=1, cutoff=0.4)
        guess = f"Did you mean {near[0]}? " if near else ""
        hint = f"{guess}There are: {', '.join(known)}."
        raise UsageError(f"the lab has no scenario named {name!r}", hint)
    return known[name]
