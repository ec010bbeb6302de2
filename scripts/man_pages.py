"""Makes the manual pages from the command line itself; `scripts/reference.py` writes them.

roff needs little here: a backslash, a dash and a dot at the beginning of a line are escaped.
"""

# ruff: noqa: INP001 - a script is not a package

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import typer
from typer.core import TyperGroup

import stress
from stress.cli.main import COMMANDS, PROGRAM, app
from stress.errors import ExitCode
from stress.planning import user_config

VARIABLES: Mapping[str, str] = {
    user_config.RESULTS_VARIABLE: user_config.SETTINGS["results"],
    user_config.PROFILE_VARIABLE: user_config.SETTINGS["profile"],
    user_config.NO_COLOR_VARIABLE: f"Not empty: {user_config.SETTINGS['no-color']} NO_COLOR does,"
    " too.",
    user_config.AUTHORIZED_VARIABLE: "File of hosts whose owners agree to any load, one a line.",
}
"""The variables that a user may set once, and what they mean."""
_FILES = {
    "~/.config/tls-stress/config.toml": "The same settings: results, profile, no-color,"
    " authorized. XDG_CONFIG_HOME moves it.",
    "results/NAME.db": "One run: an SQLite file.",
}
_CODES = {
    ExitCode.CLEAN: "clean: nothing failed; with goals: all hold",
    ExitCode.FAILING: "failing: failures were found; with goals: one is refuted",
    ExitCode.USAGE: "usage: bad option, profile, target or file; nothing was sent",
    ExitCode.INCONCLUSIVE: "inconclusive: a goal is neither reached nor refuted",
    ExitCode.INVALID: "invalid: the measurement says nothing about the target",
    ExitCode.INTERRUPTED: "interrupted: what was recorded is saved and reported",
}
_WITH_RUN_CODES = frozenset({"run", "report", "isolate", "join"})


def man_pages() -> Mapping[str, str]:
    """Return file name to text: one page for the program, one for each command."""
    top: Any = typer.main.get_command(app)
    pages = {f"{PROGRAM}.1": _program(top)}
    for name in COMMANDS:
        command = top.get_command(None, name)
        pages[f"{PROGRAM}-{name}.1"] = _command(name, command)
    return pages


def _program(top: Any) -> str:
    listed = "".join(_item(f"{PROGRAM}-{name}(1)", about) for name, about in COMMANDS.items())
    return "".join(
        [
            _head(PROGRAM, top.help.rstrip(".")),
            _section("SYNOPSIS", f"\\fB{_safe(PROGRAM)}\\fR COMMAND [OPTION]... [ARGUMENT]...\n"),
            _section("DESCRIPTION", _paragraphs(top.help)),
            _section("COMMANDS", listed),
            _section("OPTIONS", "".join(_options(top))),
            _section("EXIT STATUS", _items({str(int(c)): text for c, text in _CODES.items()})),
            _section("ENVIRONMENT", _items(VARIABLES)),
            _section("FILES", _items(_FILES)),
            _section("EXAMPLES", _lines(["tls-stress demo", "tls-stress run app.example.com"])),
        ]
    )


def _command(name: str, command: Any) -> str:
    title = f"{PROGRAM}-{name}"
    below: Iterator[tuple[str, Any]] = iter([(f"{PROGRAM} {name}", command)])
    if isinstance(command, TyperGroup):
        below = ((f"{PROGRAM} {name} {word}", one) for word, one in command.commands.items())
    parts = [_head(title, COMMANDS[name].rstrip("."))]
    for path, one in below:
        context = one.make_context(path, [], resilient_parsing=True)
        usage = " ".join(one.collect_usage_pieces(context))
        parts += [
            _section("SYNOPSIS", f"\\fB{_safe(path)}\\fR {_safe(usage)}\n"),
            _section("DESCRIPTION", _paragraphs(one.help)),
            _section("OPTIONS", "".join(_options(one))),
            _section("EXAMPLES", _lines(one.examples)) if one.examples else "",
        ]
    if name in _WITH_RUN_CODES:
        codes = {str(int(code)): text for code, text in _CODES.items()}
        parts.append(_section("EXIT STATUS", _items(codes)))
    parts.append(_section("SEE ALSO", f"\\fB{_safe(PROGRAM)}\\fR(1)\n"))
    return "".join(parts)


def _options(command: Any) -> Iterator[str]:
    """The arguments and options in the order and sections of `--help`."""
    context = command.make_context(PROGRAM, [], resilient_parsing=True)
    section = ""
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is None:
            continue
        heading = getattr(parameter, "rich_help_panel", None) or ""
        if heading != section:
            section = heading
            yield f".SS {_safe(heading)}\n" if heading else ""
        yield _item(record[0].partition(" <")[0], record[1])


def _head(title: str, about: str) -> str:
    version = f"{PROGRAM} {stress.__version__}"
    return (
        f'.\\" Made from the code by `make docs`.\n.TH {title.upper()} 1 "" "{version}" '
        f'"tls-stress manual"\n' + _section("NAME", f"{_safe(title)} \\- {_safe(about)}\n")
    )


def _section(title: str, body: str) -> str:
    return f".SH {title}\n{body}" if body else ""


def _paragraphs(text: str) -> str:
    return ".PP\n".join(f"{_filled(each)}\n" for each in text.strip().split("\n\n"))


def _items(entries: Mapping[str, str]) -> str:
    return "".join(_item(term, text) for term, text in entries.items())


def _item(term: str, text: str) -> str:
    return f".TP\n\\fB{_safe(term)}\\fR\n{_filled(text)}\n"


def _lines(lines: Iterator[str] | list[str] | tuple[str, ...]) -> str:
    return ".nf\n" + "".join(f"{_safe(line)}\n" for line in lines) + ".fi\n"


def _filled(text: str) -> str:
    """Text in short lines; a word that begins a line never begins with a dot or a quote."""
    lines = textwrap.wrap(" ".join(text.split()), 90, break_long_words=False)
    return "\n".join(_safe(line) for line in lines)


def _safe(text: str) -> str:
    """The text as roff shows it: `-` is a hyphen there, and a leading dot a request."""
    shown = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{shown}" if shown.startswith((".", "'")) else shown
