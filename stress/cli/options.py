"""The options of `run` on the command line, made from the declaration in `planning.request`.

Values stay texts: planning reads and checks them, alike whether they come from the command line or
from a profile, and names the option in its messages.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, get_args

import typer
from typer.core import TyperCommand

from stress.planning.option import Section, ValueType
from stress.planning.request import Request, options

# Groups of options, declared once for every command that needs them, and help in sections.
#
# typer reads a command's options from its signature. A command of ours has one parameter for each
# group, such as `request: RequestOptions`; `flat` gives typer the options of all groups in a row
# and builds each group from its values before it calls the command.

ARGUMENTS, GENERAL = "Arguments", "Options"


@dataclass(frozen=True, slots=True)
class Group:
    """Marks a parameter (`Annotated[Thing, Group(thing)]`) that is built from options."""

    build: Callable[..., object]
    """Takes the options as keyword parameters, annotated for typer, and returns the thing."""


def flat(command: Callable[..., int]) -> Callable[..., int]:
    """Return the command with the options of its groups as parameters of its own."""
    own = _parameters(command)
    builders = {
        name: mark.build
        for name, parameter in own.items()
        for mark in get_args(parameter.annotation)
        if isinstance(mark, Group)
    }
    options = {
        name: _parameters(builders[name]) if name in builders else {name: parameter}
        for name, parameter in own.items()
    }
    shown = {each: parameter for group in options.values() for each, parameter in group.items()}

    @wraps(command)
    def called(**values: Any) -> int:
        return command(
            **{
                name: builders[name](**{each: values[each] for each in group})
                if name in builders
                else values[name]
                for name, group in options.items()
            }
        )

    called.__annotations__ = {name: each.annotation for name, each in shown.items()}
    called.__dict__["__signature__"] = inspect.Signature(list(shown.values()))
    del called.__dict__["__wrapped__"]  # else typer would read the command's own signature
    return called


def _parameters(function: Callable[..., object]) -> dict[str, inspect.Parameter]:
    """Return the parameters by name, annotations resolved, all by keyword."""
    parameters = inspect.signature(function, eval_str=True).parameters
    return {
        name: parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in parameters.items()
    }


class SectionedCommand(TyperCommand):
    """A command whose `--help` lists its options by `rich_help_panel`, as plain text.

    typer can group options only in its framed rich help, which takes 0.2 s longer and reads badly
    in a pipe.
    """

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the sections, each in the order of its options."""
        sections: dict[str, list[tuple[str, str]]] = {ARGUMENTS: []}
        general: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            argument = parameter.param_type_name == "argument"
            heading = ARGUMENTS if argument else getattr(parameter, "rich_help_panel", None)
            records = sections.setdefault(heading, []) if heading else general
            records.append((record[0].partition(" <")[0], record[1]))  # cuts a Python type
        sections[GENERAL] = general
        for heading, records in sections.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)


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


_TYPED = [field for field, one in options().items() if one.section is not Section.PROFILE_ONLY]
RequestOptions = Annotated[Request, Group(request_with(*_TYPED))]


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
