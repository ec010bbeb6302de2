"""Groups of options: written down once, taken by every command that needs them.

typer reads a command's options from its signature. A command of ours has one parameter for each
group, such as `request: RequestOptions`; `flat` shows typer the options of all groups in a row and
puts the values together again before the command is called.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, get_args, get_type_hints

from typer.core import TyperCommand


@dataclass(frozen=True, slots=True)
class Group:
    """Marks a parameter (`Annotated[Thing, Group(thing)]`) as made from options."""

    build: Callable[..., object]
    """Has the options as keyword parameters, annotated for typer, and makes the thing."""


def flat(command: Callable[..., int]) -> Callable[..., int]:
    """The same command, with the options of its groups as parameters of its own."""
    own = _parameters(command)
    groups = {name: found for name, each in own.items() if (found := _group(each))}
    shown: dict[str, inspect.Parameter] = {}
    for name, parameter in own.items():
        shown |= _parameters(groups[name].build) if name in groups else {name: parameter}

    @wraps(command)
    def called(**values: object) -> int:
        return command(**_gathered(own, groups, values))

    called.__annotations__ = {name: each.annotation for name, each in shown.items()}
    called.__dict__["__signature__"] = inspect.Signature(list(shown.values()))
    del called.__dict__["__wrapped__"]  # else typer would read the command's own signature
    return called


def _parameters(function: Callable[..., object]) -> dict[str, inspect.Parameter]:
    """Its parameters by name, annotations resolved, all by keyword."""
    hints = get_type_hints(function, include_extras=True)
    return {
        name: parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in inspect.signature(function).parameters.items()
    }


def _group(parameter: inspect.Parameter) -> Group | None:
    return next((each for each in get_args(parameter.annotation) if isinstance(each, Group)), None)


def _gathered(
    own: Mapping[str, inspect.Parameter], groups: Mapping[str, Group], values: dict[str, Any]
) -> dict[str, Any]:
    gathered = {}
    for name in own:
        if name in groups:
            wanted = inspect.signature(groups[name].build).parameters
            gathered[name] = groups[name].build(**{each: values[each] for each in wanted})
        else:
            gathered[name] = values[name]
    return gathered


# Plain help in sections: options under the heading of their panel, no frames, no rich.
#
# Typer can group options only in its framed rich help, which costs 0.2 s and reads badly in a pipe.

ARGUMENTS, GENERAL = "Arguments", "Options"


class SectionedCommand(TyperCommand):
    """A command whose `--help` lists its options by `rich_help_panel`."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the sections, each in the order of its options."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in sorted(self.get_params(ctx), key=_place):
            record = parameter.get_help_record(ctx)
            if record is not None:
                name = record[0].partition(" <")[0]  # what follows is a Python type
                sections.setdefault(_heading(parameter), []).append((name, record[1]))
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def _place(parameter: Any) -> int:
    """Arguments first, options that belong to no panel last."""
    return {ARGUMENTS: 0, GENERAL: 2}.get(_heading(parameter), 1)


def _heading(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return ARGUMENTS
    return getattr(parameter, "rich_help_panel", None) or GENERAL
