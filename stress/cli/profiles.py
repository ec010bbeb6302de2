"""`tls-stress profiles`: the load profiles that come with the program."""

from __future__ import annotations

import click

from stress.cli import console
from stress.cli.options import command, group
from stress.errors import ExitCode


@command("list")
def list_profiles() -> int:
    """List the load profiles."""
    from stress.planning.profile import profiles

    console.print_titles({name: profile.title for name, profile in profiles().items()})
    return ExitCode.CLEAN


@command("show")
@click.argument("name", metavar="NAME|FILE")
def show_profile(name: str) -> int:
    """Print the TOML file of a load profile.

    Copy it into a file of your own to change it.
    """
    from stress.planning.profile import load_profile

    console.print_data(load_profile(name).file.read_text(encoding="utf-8"))
    return ExitCode.CLEAN


profiles = group("profiles", "Load profiles.", list_profiles, show_profile)
