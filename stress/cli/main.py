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

import click

import stress
from stress.cli import console
from stress.errors import ExitCode, StressError, UsageError
from stress.text.escape import PROGRAM, command, escape, shell_line

WIDTH = 100
_DASHES = ("\u2013", "\u2014", "\u2212")
COMMANDS: Mapping[str, str] = {
    "run": "Open handshakes, record them, print the report.",
    "report": "Print the report of a recorded run again.",
    "compare": "Tell whether a fix helped, or something got worse.",
    "replay": "Repeat the failing combinations of a run.",
    "isolate": "Search for causes in anybody's records.",
    "join": "Find in a balancer's log which backend each connection met.",
    "plan": "Compute how many handshakes are needed.",
    "evidence": "Write the evidence of a run's failures to a directory.",
    "export": "Export the records of a run for other tools.",
    "demo": "Find a bad node in a faulty farm on this machine.",
    "doctor": "Check this machine.",
    "judge": "Say what each client family thinks of a chain in files, offline.",
    "explain": "Explain the error codes in a log.",
    "clients": "Client profiles.",
    "lab": "A faulty farm of TLS servers on loopback.",
    "profiles": "Load profiles.",
}
"""Every command and its first sentence; it is defined in the module of its name in this room."""


def load(name: str) -> click.Command | None:
    """Import a command; None when there is none of this name."""
    if name not in COMMANDS:
        return None
    found = getattr(import_module(f"stress.cli.{name}"), name)
    assert isinstance(found, click.Command)
    return found


class Program(click.Group):
    """All commands; a module is imported when its command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as click calls it
        """In the order in which they are explained."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command."""
        return load(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List them without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _version(context: click.Context, _option: click.Parameter, value: object) -> None:
    if value:
        console.print_data(f"{PROGRAM} {stress.__version__}\n")
        context.exit()


program = Program(
    PROGRAM,
    help="Opens thousands of TLS handshakes and isolates the rare failing fraction.",
    epilog="Begin with `tls-stress demo`, then `tls-stress run HOST`.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDTH},
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_version,
            help="Print the version.",
        )
    ],
)


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
        code = program.main(given, PROGRAM, standalone_mode=False) or ExitCode.CLEAN
        return int(code)
    except StressError as error:
        return _complain(error.message, error.hint or manual, error.exit_code)
    except click.UsageError as problem:
        return _complain(*_explain(problem, manual), ExitCode.USAGE)
    except (KeyboardInterrupt, click.Abort):  # click's, when the interrupt came in a command
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


def _explain(problem: click.UsageError, manual: str) -> tuple[str, str]:
    """What click says is wrong with the command line, and what would be right."""
    context, message = problem.ctx, problem.format_message()
    manual = f"See: {context.command_path} --help" if context else manual
    if isinstance(problem, click.NoSuchOption):
        from difflib import get_close_matches

        known = [name for each in context.command.params for name in each.opts] if context else []
        near = get_close_matches(problem.option_name, known, n=1)
        message = message.partition(" (Possible")[0].partition(" Did you mean")[0]
        return message, f"Did you mean {near[0]}?\n{manual}" if near else manual
    # `tls-stress example.com` names a target where a command belongs.
    _, unknown, rest = message.partition("No such command '")
    word = rest.partition("'")[0]
    if unknown and set(".:") & set(word):
        manual = f"To test it: {command('run', word)}\n{manual}"
    return message, manual
