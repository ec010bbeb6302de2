"""`tls-stress profiles`: the load profiles that are shipped."""

from __future__ import annotations

from typing import Annotated

import typer

from stress.cli import console

Profile = Annotated[str, typer.Argument(metavar="NAME|FILE", show_default=False)]


def list_profiles() -> int:
    """List the load profiles."""
    from stress.planning.profile import profiles  # noqa: PLC0415 - heavy

    known = profiles()
    longest = max(map(len, known), default=0)
    for name, profile in known.items():
        console.put(f"{name:<{longest}}  {profile.title}\n")
    return 0


def show_profile(name: Profile) -> int:
    """Print a load profile as it is written.

    Copy it into a file of your own to change it.
    """
    from stress.planning.profile import load_profile  # noqa: PLC0415 - heavy

    profile = load_profile(name)
    console.put(profile.file.read_text(encoding="utf-8"))
    return 0
