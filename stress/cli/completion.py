"""What a shell offers for a word that is being typed: the names that are known here.

typer has the scripts for bash, zsh and fish, and calls these functions. Whatever they raise would
be printed into somebody's half-typed line, so what cannot be read offers nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

import typer

from stress.errors import StressError
from stress.planning.option import Option

Names = Callable[..., list[str]]


def offers(names: Iterable[str], incomplete: str) -> list[Any]:
    """Return typer's items for the names that begin so; it has no public class for them."""
    from typer._click.shell_completion import CompletionItem

    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def commands(context: typer.Context) -> list[str]:
    """Return the commands, or those below the one that is named already."""
    from stress.cli.main import COMMANDS, app

    given = context.params.get("command") or ()
    if not given:
        return [*COMMANDS]
    group: Any = typer.main.get_command(app).get_command(context, given[0])  # type: ignore[attr-defined]  # it is a group
    return [*getattr(group, "commands", ())]


def scenarios() -> list[str]:
    """Return the scenarios of the lab."""
    from stress.lab.scenarios import scenarios as known

    return [*known()]


def load_profiles() -> list[str]:
    """Return the shipped load profiles."""
    return _shipped("")


def clients() -> list[str]:
    """Return the shipped client profiles."""
    return _shipped("clients")


def _shipped(folder: str) -> list[str]:
    from stress.text.tomlfile import profiles_folder, shipped

    with suppress(StressError):
        return [*shipped(profiles_folder() / folder)]
    return []


def policies() -> list[str]:
    """Return the trust policies."""
    names = (file.name for file in files("stress.trust").joinpath("policies").iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def runs(context: typer.Context) -> list[str]:
    """Return the names of the runs in the results directory, the latest first."""
    from stress.planning.user_config import user_config
    from stress.runner.run import RESULTS

    with suppress(StressError, OSError):
        folder = Path(context.params.get("results") or user_config().results or RESULTS)
        found = sorted(folder.glob("*.db"), key=lambda file: -file.stat().st_mtime)
        return [file.stem for file in found]
    return []


def codes() -> list[str]:
    """Return what `explain` knows: outcomes, alerts, and the codes of clients."""
    from stress.codes.catalog import alerts, code_tables, outcome_entries

    numbers = [f"alert {number}" for number in alerts()]
    named = [code for table in code_tables().values() for code in table.codes]
    return list(dict.fromkeys([*outcome_entries(), *numbers, *named]))


_OF_FIELDS: dict[str, Names] = {
    "profile": load_profiles,
    "clients": clients,
    "policy": policies,
    "interrupted": runs,
}
"""Options whose values are names, by their field of `Request`."""


def of_option(field: str, declared: Option) -> Names | None:
    """Return what completes an option of `run`; None: the shell offers files."""
    if declared.choices is not None:
        words = [*map(str, declared.choices)]
        return lambda: words
    return _OF_FIELDS.get(field)
