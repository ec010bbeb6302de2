"""Defines the command line, and runs it: every outcome becomes an exit code.

A message says what is wrong, with the value; a hint after a blank line says what to do. Only a bug
of tls-stress shows a traceback, never a wrong option or a failure of the environment.
"""

from __future__ import annotations

import re
import sys
import textwrap
import traceback
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from itertools import pairwise
from typing import Annotated, cast

import typer

import stress
from stress.cli import (
    clients,
    compare,
    console,
    demo,
    doctor,
    evidence,
    explain,
    export,
    foreign_options,
    isolate,
    join,
    judge,
    lab,
    plan,
    profiles,
    replay,
    report,
    run,
)
from stress.cli.options import SectionedCommand
from stress.errors import ExitCode, StressError, UsageError
from stress.text.escape import PROGRAM, command, escape, shell_line

WIDTH = 100
_HELP = {"help_option_names": ["-h", "--help"], "max_content_width": WIDTH}
_DASHES = ("\u2013", "\u2014", "\u2212")
_OPTION_ERROR = cast("type[Exception]", typer.BadParameter.__mro__[1])
"""typer's class for whatever is wrong with the command line; it has no public name."""

app = typer.Typer(
    name=PROGRAM,
    help="Opens thousands of TLS handshakes and isolates the rare failing fraction.",
    epilog="Begin with `tls-stress demo`, then `tls-stress run HOST`.",
    add_completion=False,
    context_settings=_HELP,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the flag's value
    if wanted:
        console.print_data(f"{PROGRAM} {stress.__version__}\n")
        raise typer.Exit


@app.callback()
def _program(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options before any command."""


def _group(name: str, about: str, listing: Callable[[], int]) -> typer.Typer:
    """A command with subcommands; without one it lists."""
    group = typer.Typer(help=about, invoke_without_command=True, context_settings=_HELP)

    @group.callback()
    def list_by_default(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            raise typer.Exit(listing())

    group.command("list")(listing)
    app.add_typer(group, name=name)
    return group


for _name, _command in (
    ("run", run.run),
    ("report", report.report),
    ("compare", compare.compare),
    ("replay", replay.replay),
    ("isolate", isolate.isolate),
    ("join", join.join),
    ("plan", plan.plan),
    ("evidence", evidence.evidence),
    ("export", export.export),
    ("demo", demo.demo),
    ("doctor", doctor.doctor),
    ("judge", judge.judge),
):
    app.command(_name, cls=SectionedCommand, context_settings=_HELP)(_command)
app.command(
    "explain", cls=SectionedCommand, context_settings={**_HELP, "ignore_unknown_options": True}
)(explain.explain)  # -9807 is not an option
_clients = _group("clients", "Client profiles.", clients.list_clients)
_clients.command("show")(clients.show_client)
_clients.command("import")(clients.import_client)
_group("lab", "A faulty farm of TLS servers on loopback.", lab.list_scenarios).command("up")(lab.up)
_group("profiles", "Load profiles.", profiles.list_profiles).command("show")(profiles.show_profile)
COMMANDS = {each.name for each in app.registered_commands} | {
    each.name for each in app.registered_groups
}


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
    return message, manual
