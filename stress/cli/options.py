"""The options of `run` on the command line, made from the declaration in `planning.request`.

Values stay texts: planning reads and checks them, alike whether they come from the command line or
from a profile, and names the option in its messages.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from stress.cli import completion
from stress.planning.option import Section, ValueType
from stress.planning.request import Request, options
from stress.planning.user_config import PROFILE_VARIABLE, RESULTS_VARIABLE

ARGUMENTS, GENERAL = "Arguments", "Options"
_EXAMPLES = "Examples:\n"


def takes(*request_fields: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Return a decorator for a command that takes these options of `run`.

    The command gets them as its first parameter, a `Request`. typer reads a command's options from
    its signature, which therefore shows one parameter for each of them.
    """

    def decorate(command: Callable[..., int]) -> Callable[..., int]:
        _, *own = inspect.signature(command, eval_str=True).parameters.values()
        shown = [parameter_of(field) for field in request_fields]
        shown += [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]

        @wraps(command)
        def called(**values: Any) -> int:
            given: dict[str, Any] = {}
            for field in request_fields:
                value = values.pop(field)
                if value not in (None, []):
                    given[field] = tuple(value) if isinstance(value, list) else value
            return command(Request(**given), **values)

        called.__annotations__ = {each.name: each.annotation for each in shown}
        called.__dict__["__signature__"] = inspect.Signature(shown)
        del called.__dict__["__wrapped__"]  # else typer would read the command's own signature
        return called

    return decorate


class SectionedCommand(TyperCommand):
    """A command whose `--help` lists its options by `rich_help_panel`, and ends with its examples.

    typer can group options only in its framed rich help, which takes 0.2 s longer and reads badly
    in a pipe. The examples are the lines below `Examples:` in the docstring, as they are.
    """

    def __init__(self, *args: Any, **more: Any) -> None:
        about, _, examples = inspect.cleandoc(more.get("help") or "").partition(_EXAMPLES)
        super().__init__(*args, **more | {"help": about})
        self.examples = tuple(line.strip() for line in examples.splitlines() if line.strip())

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Offer options, and where an argument may be a negative number, those that fit."""
        offered = super().shell_complete(ctx, incomplete)
        arguments = [each for each in self.get_params(ctx) if each.param_type_name == "argument"]
        if re.match(r"-\d", incomplete) and arguments:
            offered += arguments[0].shell_complete(ctx, incomplete)
        return offered

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - as typer calls it
        """Write the examples."""
        write_examples(self.examples, formatter)

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


def write_examples(examples: Sequence[str], formatter: Any) -> None:
    """Write command lines as they are: one that is broken in two would run as two."""
    if examples:
        with formatter.section("Examples"):
            for line in examples:
                formatter.write(f"  {line}\n")


class ExampleGroup(TyperGroup):
    """A command with subcommands, whose `--help` ends with an example of each."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the first example of each subcommand."""
        below = [self.get_command(ctx, name) for name in self.list_commands(ctx)]
        write_examples([each.examples[0] for each in below if each and each.examples], formatter)  # type: ignore[attr-defined]


def group(about: str, commands: Mapping[str, Callable[..., int]]) -> typer.Typer:
    """Return a command with subcommands, of which `list` is the default."""
    made = typer.Typer(
        cls=ExampleGroup,
        help=about,
        invoke_without_command=True,
        add_completion=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )

    @made.callback()
    def list_by_default(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            raise typer.Exit(commands["list"]())

    for name, command in commands.items():
        made.command(name, cls=SectionedCommand)(command)
    return made


_VARIABLES = {"profile": PROFILE_VARIABLE, "results": RESULTS_VARIABLE}
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
        autocompletion=completion.of_option(field, declared),
        envvar=_VARIABLES.get(field),
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


RUN_OPTIONS = [field for field, one in options().items() if one.section is not Section.PROFILE_ONLY]


def parse(words: Sequence[str]) -> Request:
    """Read the words that could follow `tls-stress run`."""
    found: list[Request] = []

    @takes(*RUN_OPTIONS)
    def keep(request: Request) -> int:
        found.append(request)
        return 0

    reader = typer.Typer(add_completion=False)
    reader.command()(keep)
    reader(args=list(words), standalone_mode=False)
    return found[0]
