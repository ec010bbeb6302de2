"""`tls-stress profiles`: the load profiles that come with the program."""

from __future__ import annotations

from typing import Annotated

import typer

from stress.cli import completion, console
from stress.cli.options import group
from stress.errors import ExitCode

Profile = Annotated[
    str,
    typer.Argument(
        metavar="NAME|FILE", autocompletion=completion.load_profiles, show_default=False
    ),
]


def list_profiles() -> int:
    """List the load profiles.

    Examples:
        tls-stress profiles
    """
    from stress.planning.profile import profiles

    console.print_titles({name: profile.title for name, profile in profiles().items()})
    return ExitCode.CLEAN


def show_profile(name: Profile) -> int:
    """Print the TOML file of a load profile.

    Copy it into a file of your own to change it.

    Examples:
        tls-stress profiles show consistency
    """
    from stress.planning.profile import load_profile

    console.print_data(load_profile(name).file.read_text(encoding="utf-8"))
    return ExitCode.CLEAN


profiles = group("Load profiles.", {"list": list_profiles, "show": show_profile})
