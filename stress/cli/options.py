"""The options of `run` on the command line, made from the declaration in `planning.request`.

Values stay texts: planning reads and checks them, alike whether they come from the command line or
from a profile, and names the option in its messages.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from stress.cli.option_groups import Group, flat
from stress.planning.option import PROFILE_ONLY, ValueType
from stress.planning.request import Request, options

_TYPES = {ValueType.SWITCH: bool, ValueType.LIST: list[str], ValueType.ARGUMENTS: list[str]}


def option_of(field: str, about: str | None = None) -> Any:
    """Return what typer has to know of an option, for another command than `run` that has it too.

    Args:
        field: of `Request`.
        about: what it does there, where that is something else than in `run`.
    """
    declared = options()[field]
    if declared.value is ValueType.ARGUMENTS:
        return typer.Argument(metavar=declared.metavar, help=declared.help, show_default=False)
    name = f"--{declared.name}"
    if declared.value is ValueType.SWITCH and getattr(Request(), field) is None:
        name = f"{name}/--no-{declared.name}"
    return typer.Option(
        *([declared.short, name] if declared.short else [name]),
        metavar=declared.metavar,
        help=about or declared.help,
        show_default=False,
        rich_help_panel=declared.section,
    )


def parameter_of(field: str) -> inspect.Parameter:
    """Return the option of a field of `Request` as a parameter for typer."""
    default = getattr(Request(), field)
    kind = _TYPES.get(options()[field].value, str)
    annotation: Any = Annotated[bool if default is False else kind | None, option_of(field)]
    shown = None if default == () else default
    return inspect.Parameter(
        field, inspect.Parameter.KEYWORD_ONLY, default=shown, annotation=annotation
    )


def request_with(*fields: str) -> Callable[..., Request]:
    """Return a function for a `Group` that has these fields of `Request` as options."""

    def build(**values: Any) -> Request:
        given: dict[str, Any] = {name: v for name, v in values.items() if v not in (None, [])}
        texts = {name: tuple(v) for name, v in given.items() if isinstance(v, list)}
        return Request(**given | texts)

    build.__dict__["__signature__"] = inspect.Signature([parameter_of(field) for field in fields])
    return build


RequestOptions = Annotated[
    Request,
    Group(request_with(*[name for name, one in options().items() if one.section != PROFILE_ONLY])),
]


def parse(words: Sequence[str]) -> Request:
    """Read the words that could follow `tls-stress run`."""
    found: list[Request] = []

    def keep(request: RequestOptions) -> int:
        found.append(request)
        return 0

    reader = typer.Typer(add_completion=False)
    reader.command()(flat(keep))
    reader(args=list(words), standalone_mode=False)
    return found[0]
