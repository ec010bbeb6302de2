"""The options that say when a run ends, and what it is judged by."""

from __future__ import annotations

from typing import Annotated

import typer

ENDING = "Ending"

Until = Annotated[
    list[str] | None,
    typer.Option(
        metavar="GOAL",
        help="Run until 'failing<0.1%', 'failures>=20', 'relative<20%', 'clean for 10m' … is"
        " reached or refuted; repeatable.",
        rich_help_panel=ENDING,
    ),
]
Assert = Annotated[
    list[str] | None,
    typer.Option(
        "--assert",
        metavar="EXPR",
        help="Judge the run by this: a goal, 'chains==1', 'causes==0', 'p99.server<50ms' …;"
        " repeatable. With goals, they alone decide the exit code.",
        rich_help_panel=ENDING,
    ),
]
MaxDuration = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", help="Ceiling of every goal. [default: 15m]", rich_help_panel=ENDING
    ),
]
StopOnRefusal = Annotated[
    bool | None,
    typer.Option(
        "--stop-on-refusal/--no-stop-on-refusal",
        help="Stop when the target begins to refuse everything; in a search, end that step."
        " [default: where it is public]",
        show_default=False,
        rich_help_panel=ENDING,
    ),
]
Continue = Annotated[
    str | None,
    typer.Option(
        "--continue",
        metavar="RUN",
        help="Take up an interrupted run: the same plan, both parts as one run in a new file.",
        rich_help_panel=ENDING,
    ),
]
