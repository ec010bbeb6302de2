"""The options of `run` on the command line, made from the declaration in `planning.request`.

Values stay texts: planning reads and checks them, alike whether they come from the command line or
from a profile, and names the option in its messages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from stress.planning.option import Section, ValueType
from stress.planning.request import Request, options

Function = TypeVar("Function", bound=Callable[..., Any])
GENERAL = "Options"
_LISTS = (ValueType.LIST, ValueType.ARGUMENTS)


class SectionedOption(click.Option):
    """An option, and the section of `--help` that it is in."""

    def __init__(self, *declared: Any, section: str = GENERAL, **attributes: Any) -> None:
        super().__init__(*declared, **attributes)
        self.section = section


class SectionedCommand(click.Command):
    """A command whose `--help` lists its options by section."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections, each in the order of its options."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                heading = getattr(parameter, "section", GENERAL)  # --help is click's
                sections.setdefault(heading, []).append(record)
        for heading in sorted(sections, key=lambda name: name == GENERAL):
            with formatter.section(heading):
                formatter.write_dl(sections[heading])


option = partial(click.option, cls=SectionedOption)
command = partial(click.command, cls=SectionedCommand)


def group(name: str, about: str, listing: click.Command, *others: click.Command) -> click.Group:
    """Return a command with subcommands; without one it lists."""

    @click.group(name, help=about, invoke_without_command=True)
    @click.pass_context
    def listed(context: click.Context) -> None:
        if context.invoked_subcommand is None:
            context.exit(context.invoke(listing))

    for one in (listing, *others):
        listed.add_command(one)
    return listed


def option_of(
    field: str, about: str | None = None, **attributes: Any
) -> Callable[[Function], Function]:
    """Return a decorator for a command that has an option of `run`.

    Args:
        field: of `Request`; the command's parameter has this name.
        about: what it does there, where that is something else than in `run`.
        attributes: further ones, for click.
    """
    declared = options()[field]
    default = getattr(Request(), field)
    if declared.value is ValueType.ARGUMENTS:
        about = about or declared.help
        return click.argument(field, nargs=-1, metavar=f"[{declared.metavar}]...", help=about)
    name = f"--{declared.name}"
    if declared.value is ValueType.SWITCH:
        name = f"{name}/--no-{declared.name}" if default is None else name
        attributes = {"is_flag": True, "default": default} | attributes
    return option(
        field,
        *([declared.short] if declared.short else []),
        name,
        metavar=declared.metavar,
        multiple=declared.value in _LISTS,
        help=about or declared.help,
        section=declared.section,
        **attributes,
    )


def takes(*request_fields: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Return a decorator for a command that takes these options of `run`.

    The command gets them as its first parameter, a `Request`.
    """

    def decorate(function: Callable[..., int]) -> Callable[..., int]:
        @wraps(function)
        def called(**values: Any) -> int:
            given = {field: values.pop(field) for field in request_fields}
            given = {field: value for field, value in given.items() if value not in (None, ())}
            return function(Request(**given), **values)

        for field in reversed(request_fields):
            called = option_of(field)(called)
        return called

    return decorate


run_argument = click.argument(
    "run",
    required=False,
    help="Path of a run file, or a name in the results directory. [default: the latest]",
)
results_option = option_of("results", type=Path)

RUN_OPTIONS = [field for field, one in options().items() if one.section is not Section.PROFILE_ONLY]


def parse(words: Sequence[str]) -> Request:
    """Read the words that could follow `tls-stress run`."""
    found: list[Request] = []

    @command()
    @takes(*RUN_OPTIONS)
    def keep(request: Request) -> int:
        found.append(request)
        return 0

    keep(args=list(words), standalone_mode=False)
    return found[0]
