"""The command line's door: the app, and `main`, which turns every ending into an exit code.

A message says what was wrong, with the value; a hint after a blank line says what to do. A
traceback is shown only for a bug of ours, never for what the user typed or the world did.
"""

from __future__ import annotations

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
    lab,
    plan,
    profiles,
    replay,
    report,
    run,
)
from stress.cli.option_groups import SectionedCommand, flat
from stress.errors import ExitCode, StressError, UsageError
from stress.text.escape import escape

PROGRAM = "tls-stress"
WIDTH = 100
_HELP = {"help_option_names": ["-h", "--help"], "max_content_width": WIDTH}
_ABOUT = "Opens thousands of TLS handshakes and isolates the rare failing fraction."
_DASHES = ("\u2013", "\u2014", "\u2212")
_TYPED = "Copied from a page? Options begin with - or --, as the keyboard has them."
_UNSET = "Give one or leave it out. Is a variable of the shell empty that should have held it?"
_WORDS_PROBLEM = cast("type[Exception]", typer.BadParameter.__mro__[1])
"""typer's class for whatever is wrong with the words; it has no public name."""

app = typer.Typer(
    name=PROGRAM,
    help=_ABOUT,
    epilog="Begin with `tls-stress demo`, then `tls-stress run HOST`.",
    add_completion=False,
    context_settings=_HELP,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the flag's value
    if wanted:
        console.put(f"{PROGRAM} {stress.__version__}\n")
        raise typer.Exit


@app.callback()
def _program(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """What stands before any command."""


def _group(name: str, about: str, listing: Callable[[], int]) -> typer.Typer:
    """A command with commands of its own; alone it lists."""
    place = typer.Typer(help=about, invoke_without_command=True, context_settings=_HELP)

    @place.callback()
    def alone(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            raise typer.Exit(listing())

    place.command("list")(listing)
    app.add_typer(place, name=name)
    return place


for _name, _command in (
    ("run", run.run),
    ("report", report.report),
    ("compare", compare.compare),
    ("replay", replay.replay),
    ("plan", plan.plan),
    ("evidence", evidence.evidence),
    ("export", export.export),
    ("demo", demo.demo),
    ("doctor", doctor.doctor),
):
    app.command(_name, cls=SectionedCommand, context_settings=_HELP)(flat(_command))
app.command(
    "explain", cls=SectionedCommand, context_settings={**_HELP, "ignore_unknown_options": True}
)(explain.explain)  # -9807 is no option
_clients = _group("clients", "Who can ask: client profiles.", clients.list_clients)
_clients.command("show")(clients.show_client)
_clients.command("import")(clients.import_client)
_group("lab", "A faulty farm of TLS servers on loopback.", lab.list_scenarios).command("up")(lab.up)
_group("profiles", "The load profiles.", profiles.list_profiles).command("show")(
    profiles.show_profile
)


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command line.

    Args:
        words: what follows the program's name; None: as it was started.

    Returns:
        The exit code, one of `ExitCode`.
    """
    console.prepare()
    given = list(sys.argv[1:] if words is None else words)
    try:
        return int(_answer(given or ["--help"]))
    except StressError as error:
        return _complain(error.message, error.hint or _manual(given), error.exit_code)
    except _WORDS_PROBLEM as problem:
        return _complain(*_explained(problem, _manual(given)), ExitCode.USAGE)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except OSError as error:
        return _complain(f"{error.filename or 'system'}: {error.strerror}", None, ExitCode.INVALID)
    except Exception:  # noqa: BLE001 - a bug must not exit 1, which means "failures were found"
        traceback.print_exc()
        hint = "Please report it with the lines above and the command line."
        return _complain("this is a bug in tls-stress, not in the target", hint, ExitCode.INVALID)


def _manual(words: Sequence[str]) -> str:
    """Where everything about a command is written, for a message without a hint of its own."""
    command = [word for word in words[:1] if word in COMMANDS]
    return f"Everything about it: {' '.join([PROGRAM, *command, '--help'])}"


def _answer(words: Sequence[str]) -> int:
    if words[0] != "explain":  # which takes any text
        _refuse_slips(words)
    if words[0] in {"run", "demo", "report"}:
        foreign_options.refuse(words)
    return app(args=words, prog_name=PROGRAM, standalone_mode=False) or ExitCode.CLEAN


def _refuse_slips(words: Sequence[str]) -> None:
    """What the shell or a web page made of the words: no wish, though it could be read as one.

    Raises:
        UsageError: an option has an empty value, or begins with a dash that is no hyphen.
    """
    for before, word in pairwise(["", *words]):
        if word.startswith(_DASHES):
            raise UsageError(f"{word} begins with a dash that is no hyphen", _TYPED)
        if before.startswith("-") and not word.strip():
            raise UsageError(f"what stands after {before} is empty", _UNSET)
        if word.startswith("--") and word.endswith("="):
            raise UsageError(f"what stands after {word} is empty", _UNSET)


def _complain(message: str, hint: str | None, code: ExitCode) -> int:
    """A message that fits 100 columns, a blank line, a hint."""
    console.say(_wrapped(f"error: {escape(message, longest=2000)}"))
    if hint:
        console.say("")
        console.say("\n".join(_wrapped(escape(line, longest=2000)) for line in hint.splitlines()))
    return code


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _explained(problem: Exception, manual: str) -> tuple[str, str]:
    """What typer complains of in the words, and what would have done."""
    context: typer.Context | None = getattr(problem, "ctx", None)
    help_hint = f"Everything about it: {context.command_path} --help" if context else manual
    option: str | None = getattr(problem, "option_name", None)
    told: str = problem.format_message()  # type: ignore[attr-defined]  # all its kinds have it
    message = told.replace(": Value error, ", ": ")
    if option is None:
        return message, f"{_forgotten_run(message)}{help_hint}"
    near = get_close_matches(option, _options(context), n=1)
    shown = message.partition(" (Possible")[0]
    return shown, f"Did you mean {near[0]}?\n{help_hint}" if near else help_hint


def _options(context: typer.Context | None) -> list[str]:
    return [name for each in context.command.params for name in each.opts] if context else []


def _forgotten_run(message: str) -> str:
    """A hint for `tls-stress example.com`, which names a target where a command belongs."""
    _, no_command, rest = message.partition("No such command '")
    word = rest.partition("'")[0]
    return f"To test it: {PROGRAM} run {word}\n" if no_command and set(".:") & set(word) else ""


if __name__ == "__main__":
    sys.exit(main())
COMMANDS = frozenset(
    {
        *("run", "report", "compare", "replay", "plan", "evidence", "export", "explain"),
        *("clients", "profiles", "lab", "demo", "doctor"),
    }
)
"""Those whose `--help` a message may point to."""
