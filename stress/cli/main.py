"""Defines the command line, and runs it: every outcome becomes an exit code.

A message says what is wrong, with the value; a hint after a blank line says what to do. Only a bug
of tls-stress shows a traceback, never a wrong option or a failure of the environment.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Mapping, Sequence
from importlib import import_module
from itertools import pairwise
from typing import Annotated, Any, cast

import typer
from typer.core import TyperGroup

import stress
from stress.cli import console
from stress.errors import ExitCode, StressError, UsageError
from stress.text.escape import PROGRAM, command, escape, shell_line

WIDTH = 100
_HELP = {"help_option_names": ["-h", "--help"], "max_content_width": WIDTH}
_DASHES = ("\u2013", "\u2014", "\u2212")
_OPTION_ERROR = cast("type[Exception]", typer.BadParameter.__mro__[1])
"""typer's class for whatever is wrong with the command line; it has no public name."""

COMMANDS: Mapping[str, str] = {
    "run": "Open handshakes, record them, print the report.",
    "report": "Print the report of a recorded run again.",
    "compare": "Tell whether a fix helped, or something got worse.",
    "replay": "Repeat the failing combinations of a run.",
    "isolate": "Search for causes in any records: telemetry, logs, CSV.",
    "join": "Find the backend of each connection in a balancer's log.",
    "merge": "Merge the run files of several machines into one run.",
    "plan": "Compute how many handshakes are needed.",
    "evidence": "Write the evidence of a run's failures to a directory.",
    "export": "Export the records of a run for other tools.",
    "demo": "Find a bad node in a faulty farm on this machine.",
    "doctor": "Check this machine.",
    "judge": "Judge a chain in files as each client family would, offline.",
    "explain": "Explain the error codes in a log.",
    "clients": "Client profiles.",
    "lab": "A faulty farm of TLS servers on loopback.",
    "profiles": "Load profiles.",
    "runs": "List the recorded runs.",
    "help": "Explain a command.",
    "version": "Print the version.",
}
"""Every command and its first sentence; it is defined in the module of its name in this room."""


class Program(TyperGroup):
    """All commands; a module is imported when its command is used."""

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:  # noqa: ARG002 - the same
        """Return the commands, without importing any, or the options before them."""
        from stress.cli.completion import offers

        return offers([*COMMANDS, "--help", "--version"], incomplete)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - as typer calls it
        """In the order in which they are explained."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - as typer calls it
        """Import the command; None when there is none of this name."""
        from stress.cli.options import SectionedCommand

        if cmd_name not in COMMANDS:
            return None
        found = getattr(import_module(f"stress.cli.{cmd_name}"), cmd_name)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False, rich_markup_mode=None)
            settings = {**_HELP, "ignore_unknown_options": cmd_name == "explain"}  # -9807 is none
            alone.command(cmd_name, cls=SectionedCommand, context_settings=settings)(found)
            found = alone
        return typer.main.get_command(found)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - as typer calls it
        """List them without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the flag's value
    if wanted:
        console.print_data(f"{PROGRAM} {stress.__version__}\n")
        raise typer.Exit


app = typer.Typer(
    name=PROGRAM,
    cls=Program,
    help="Opens thousands of TLS handshakes and isolates the rare failing fraction.",
    epilog="Start with `tls-stress demo`, then `tls-stress run HOST`.",
    context_settings=_HELP,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def _program(
    context: typer.Context,
    *,
    version: Annotated[  # noqa: ARG001 - its callback acts
        bool,
        typer.Option(
            "--version", "-V", callback=_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Options before any command; what the user set once becomes the default of each option."""
    from stress.planning.user_config import user_config

    context.default_map = dict.fromkeys(COMMANDS, user_config().defaults())


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command line.

    Args:
        words: what follows the program's name; None: those of this process.

    Returns:
        The exit code, one of `ExitCode`.
    """
    console.prepare()
    given = list(sys.argv[1:] if words is None else words) or ["--help"]
    known = given[:1] if given[0] in COMMANDS else []
    manual = f"See: {shell_line([PROGRAM, *known, '--help'])}"
    try:
        if given[0] != "explain":  # which takes any text
            _refuse_slips(given)
        if given[0] in {"run", "demo", "report"}:
            from stress.cli import foreign_options

            foreign_options.refuse(given)
        code = app(args=given, prog_name=PROGRAM, standalone_mode=False) or ExitCode.CLEAN
        # Ours are `ExitCode`s; typer makes a plain 130 of an interrupt, and says nothing.
        if code == ExitCode.INTERRUPTED and not isinstance(code, ExitCode):
            console.print_message("interrupted")
        return int(code)
    except StressError as error:
        return _complain(error.message, error.hint or manual, error.exit_code)
    except _OPTION_ERROR as problem:
        return _complain(*_explain(problem, manual), ExitCode.USAGE)
    except KeyboardInterrupt:
        console.print_message("interrupted")
        return ExitCode.INTERRUPTED
    except OSError as error:
        return _complain(f"{error.filename or 'system'}: {error.strerror}", None, ExitCode.INVALID)
    except Exception:  # noqa: BLE001 - a bug must not exit 1, which means "failures were found"
        import traceback

        traceback.print_exc()
        hint = "Please report it with the lines above and the command line."
        return _complain("this is a bug in tls-stress, not in the target", hint, ExitCode.INVALID)


def _refuse_slips(words: Sequence[str]) -> None:
    """Refuse what a shell or a web page broke, although it could be parsed.

    Raises:
        UsageError: an option has an empty value, or begins with a dash that is not a hyphen.
    """
    for before, word in pairwise(["", *words]):
        if word.startswith(_DASHES):
            raise UsageError(
                f"{word} begins with a dash that is not a hyphen",
                "Was it copied from a web page? Options begin with - or --, as typed.",
            )
        empty = before if before.startswith("-") and not word.strip() else None
        empty = word if re.fullmatch("--[^=]*=", word) else empty
        if empty is not None:
            raise UsageError(
                f"the value after {empty} is empty",
                "Give a value or leave the option out. Is a shell variable empty?",
            )


def _complain(message: str, hint: str | None, code: ExitCode) -> int:
    """Print a message that fits 100 columns, a blank line, and a hint."""
    lines = [f"error: {message}", *(["", *hint.splitlines()] if hint else [])]
    for line in lines:
        text = escape(line, longest=2000)
        if f"{PROGRAM} " not in text:  # a command that is broken in two would run as two
            text = textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)
        console.print_message(text)
    return code


def _explain(problem: Exception, manual: str) -> tuple[str, str]:
    """What typer says is wrong with the command line, and what would be right."""
    from difflib import get_close_matches

    context: typer.Context | None = getattr(problem, "ctx", None)
    manual = f"See: {context.command_path} --help" if context else manual
    text: str = problem.format_message()  # type: ignore[attr-defined]  # all its kinds have it
    message = text.replace(": Value error, ", ": ")
    option: str | None = getattr(problem, "option_name", None)
    if option is not None:
        known = [name for each in context.command.params for name in each.opts] if context else []
        near = get_close_matches(option, known, n=1)
        message = message.partition(" (Possible")[0]
        return message, f"Did you mean {near[0]}?\n{manual}" if near else manual
    # `tls-stress example.com` names a target where a command belongs.
    _, unknown, rest = message.partition("No such command '")
    word = rest.partition("'")[0]
    if unknown and set(".:") & set(word):
        manual = f"To test it: {command('run', word)}\n{manual}"
    elif near := get_close_matches(word, COMMANDS, n=1):
        manual = f"Did you mean {near[0]}?\n{manual}"
    return message, manual
