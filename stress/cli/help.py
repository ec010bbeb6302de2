"""`tls-stress help`: what `--help` says, for whoever types it first."""

from __future__ import annotations

from typing import Annotated

import typer

from stress.cli.completion import commands
from stress.errors import ExitCode
from stress.text.escape import PROGRAM

Commands = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="COMMAND",
        help="A command, such as run or lab up. [default: the list of them]",
        show_default=False,
        autocompletion=commands,
    ),
]


def help(command: Commands = None) -> int:  # noqa: A001 - named as the command is
    """Explain a command.

    Examples:
        tls-stress help
        tls-stress help run
        tls-stress help lab up
    """
    from stress.cli.main import app

    app(args=[*(command or ()), "--help"], prog_name=PROGRAM, standalone_mode=False)
    return ExitCode.CLEAN
