"""Writes docs/reference from the code: what is generated cannot drift (`make docs`)."""

# ruff: noqa: INP001 - a script is no package

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from stress.analysis.wording import got
from stress.cli.main import PROGRAM, WIDTH, app
from stress.lab import scenarios
from stress.model.outcome import Category, Kind, Stage
from stress.planning import clients, profiles
from stress.planning.data import profiles_folder
from stress.planning.settings import SETTINGS
from stress.report.document import schema

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"
SHIPPED = ROOT / "stress" / "report" / "summary.schema.json"
"""The schema as it is installed with the package."""
_OURS = {
    Category.LOCAL_PORTS: "found no free local port",
    Category.LOCAL_FILES: "met our limit of open files",
    Category.LOCAL_MEMORY: "found no memory left here",
    Category.LOCAL_NETWORK: "could not leave this machine",
    Category.LOCAL_LAG: "had their answer, but our own process read it too late",
    Category.CANCELLED: "were broken off by us when the run was stopped",
    Category.NOT_SENT: "were due while `--concurrency` was used up, and never started",
}
_MADE = "*Made from the code by `make docs`.*\n\n"


def pages() -> Mapping[str, str]:
    """File name to text, of every generated page."""
    return {
        "commands.md": _commands(),
        "profiles.md": _profiles(),
        "clients.md": _clients(),
        "scenarios.md": _scenarios(),
        "endings.md": _endings(),
        "run-file.md": _run_file(),
        "summary.schema.json": json.dumps(schema(), indent=2) + "\n",
    }


def _commands() -> str:
    parts = ["# Commands\n\n", _MADE]
    for path, text in _helps(typer.main.get_command(app), PROGRAM):
        parts.append(f"## `{path}`\n\n```\n{text.strip()}\n```\n\n")
    return "".join(parts).rstrip() + "\n"


def _helps(command: Any, path: str) -> Iterator[tuple[str, str]]:
    """The help of a command and of all commands below it."""
    context = command.make_context(
        path, ["--help"], resilient_parsing=True, terminal_width=WIDTH, max_content_width=WIDTH
    )
    yield path, "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    for name, below in getattr(command, "commands", {}).items():
        yield from _helps(below, f"{path} {name}")


def _profiles() -> str:
    head = (
        "# Load profiles\n\n"
        + _MADE
        + "A load profile is a TOML file; its keys are the options of `run` without the dashes in "
        "front, and the\ncommand line wins. `--profile` takes a name or a path.\n\n## Keys\n\n"
    )
    keys = [f"`{key}`" for key in (*SETTINGS, "title", "authorized")]
    shipped = [
        f"## `{name}`\n\n```toml\n{(profiles_folder() / f'{name}.toml').read_text().strip()}\n```\n"
        for name in profiles()
    ]
    return head + ", ".join(keys) + ".\n\n" + "\n".join(shipped)


def _clients() -> str:
    rows = (
        (f"`{c.name}`", c.title, f"`{c.policy}`", "; ".join(c.cannot_express) or "-")
        for c in clients().values()
    )
    table = _table(("name", "which program", "trust policy", "cannot be expressed"), rows)
    about = "Who asks: `--client NAME`. One TOML file each, in `profiles/clients/`.\n\n"
    return "# Clients\n\n" + _MADE + about + table


def _scenarios() -> str:
    rows = ((f"`{name}`", scenario.title) for name, scenario in scenarios().items())
    about = "What the lab can play: `tls-stress demo NAME`, `tls-stress lab up NAME`.\n\n"
    return (
        "# Lab scenarios\n\n" + _MADE + about + _table(("name", "what a user lives through"), rows)
    )


def _endings() -> str:
    about = (
        "Each attempt ends in one of these (`outcome` in the run file, `categories` in the JSON), "
        "and came as\nfar as one of these stages: "
        + ", ".join(f"`{stage.label}`" for stage in Stage)
        + ".\n\n"
    )
    titles = {
        Kind.TRUST: "Trust: the handshake finished, a client would refuse the chain",
        Kind.WIRE: "Wire: the handshake did not finish",
        Kind.OURS: "Ours: never counted against the target",
        Kind.NOT_SENT: "Due, but not sent",
    }
    parts = ["# Endings\n\n", _MADE, about]
    for kind, title in titles.items():
        rows = ((f"`{_name(c)}`", _words(c)) for c in Category if c.kind is kind)
        parts.append(f"## {title}\n\n{_table(('name', 'handshakes with it …'), rows)}\n")
    return "".join(parts).rstrip() + "\n"


def _name(category: Category) -> str:
    return "alert-<number>" if category is Category.ALERT else category.value


def _words(category: Category) -> str:
    if category in _OURS:
        return _OURS[category]
    return got("alert-40" if category is Category.ALERT else category.value)


def _run_file() -> str:
    text = (ROOT / "stress" / "store" / "schema.sql").read_text().strip()
    about = (
        "One SQLite file holds a whole run. It can be copied, mailed, and opened with any SQLite "
        "tool, also\nwhile the run goes on:\n\n```\nsqlite3 results/NAME.db "
        "'SELECT outcome, stage, count(*) FROM handshake GROUP BY 1, 2'\n```\n\n"
    )
    return f"# The run file\n\n{_MADE}{about}```sql\n{text}\n```\n"


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '·') for cell in line)} |\n" for line in lines)


def main() -> None:
    """Write the pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text)
    SHIPPED.write_text((FOLDER / SHIPPED.name).read_text())


if __name__ == "__main__":
    main()
