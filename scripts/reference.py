"""Writes docs/reference from the code: what is generated cannot drift (`make docs`)."""

# ruff: noqa: INP001 - a script is no package

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import typer

from stress.cli.main import PROGRAM, WIDTH, app
from stress.codes.catalog import outcome_entries
from stress.host.shipped import profiles_folder
from stress.lab.catalog import scenarios
from stress.model.outcome import Category, Kind, Stage
from stress.planning import clients, profiles
from stress.planning.settings import SETTINGS, Shape
from stress.report.document import schema
from stress.store.schema import schema_text

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"
SHIPPED = ROOT / "stress" / "report" / "summary.schema.json"
"""The schema as it is installed with the package."""
_SHAPES = {
    Shape.TEXT: "text or number",
    Shape.LIST: "text, or array of texts",
    Shape.STRETCHES: "array of tables",
    Shape.SWITCH: "true or false",
    Shape.FILE: "path, from the profile's folder",
}
_ONLY_IN_PROFILES = {
    "title": ("text", "One line for people: what the profile is for."),
    "authorized": ("array of texts", "Hosts whose owners agree to any load, by their exact names."),
}
_MODELS = ("summary.py", "limit.py")
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
        "summary.md": _summary(),
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
    rows = [(f"`{key}`", _SHAPES[setting.shape], _about(key)) for key, setting in SETTINGS.items()]
    rows += [(f"`{key}`", *words) for key, words in _ONLY_IN_PROFILES.items()]
    shipped = [
        f"## `{name}`\n\n```toml\n{(profiles_folder() / f'{name}.toml').read_text().strip()}\n```\n"
        for name in profiles()
    ]
    return head + _table(("key", "value", "what it does"), iter(rows)) + "\n" + "\n".join(shipped)


def _about(key: str) -> str:
    """What a key does, in the words of its option or, where there is none, its own."""
    return SETTINGS[key].about or _option_words()[key]


@cache
def _option_words() -> Mapping[str, str]:
    """The long names of `run`'s options, without dashes, to their help."""
    command: Any = typer.main.get_command(app)
    return {
        name.removeprefix("--"): option.help
        for option in command.commands["run"].params
        for name in option.opts
        if name.startswith("--")
    }


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
        rows = ((f"`{_name(c)}`", outcome_entries()[c].phrase) for c in Category if c.kind is kind)
        parts.append(f"## {title}\n\n{_table(('name', 'handshakes with it …'), rows)}\n")
    return "".join(parts).rstrip() + "\n"


def _name(category: Category) -> str:
    return "alert-<number>" if category is Category.ALERT else category.value


def _run_file() -> str:
    text = schema_text().strip()
    about = (
        "One SQLite file holds a whole run. It can be copied, mailed, and opened with any SQLite "
        "tool, also\nwhile the run goes on:\n\n```\nsqlite3 results/NAME.db "
        "'SELECT outcome, stage, count(*) FROM handshake GROUP BY 1, 2'\n```\n\n"
    )
    return f"# The run file\n\n{_MADE}{about}```sql\n{text}\n```\n"


def _summary() -> str:
    about = (
        "`run --json`, `report --json` and `demo --json` print one document of this form. It is "
        "also\ndescribed by a [JSON Schema](summary.schema.json), which is installed with the "
        "package. Shares\nare fractions, times microseconds; null means that there is nothing to "
        "say.\n\n"
    )
    told = _field_words()
    parts = ["# The summary as JSON\n\n", _MADE, about]
    for name, part in schema()["$defs"].items():
        parts.append(f"## {name}\n\n{part.get('description', '')}\n\n")
        if "enum" in part:
            parts.append("One of " + ", ".join(f"`{value}`" for value in part["enum"]) + ".\n\n")
            continue
        rows = (
            (f"`{field}`", _kind(kind), told.get((name, field), ""))
            for field, kind in part["properties"].items()
        )
        parts.append(_table(("field", "type", "meaning"), rows) + "\n")
    return "".join(parts).rstrip() + "\n"


def _kind(part: Mapping[str, Any]) -> str:
    """A JSON type in words, with a link where it is one of ours."""
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in part:
        return f"`{part['const']}`"
    if "anyOf" in part:
        return " or ".join(_kind(each) for each in part["anyOf"])
    if part["type"] == "array":
        # The items of a tuple come one by one; ours are all of one kind.
        items = part["items"] or part["prefixItems"][0]
        return f"array of {_kind(items)}"
    if part["type"] == "object":
        return f"object of {_kind(part['additionalProperties'])}"
    return str(part["type"])


def _field_words() -> Mapping[tuple[str, str], str]:
    """Class and field to the words under the field, as the models' source has them."""
    words = {}
    for file in _MODELS:
        tree = ast.parse((ROOT / "stress" / "model" / file).read_text())
        for made in (node for node in tree.body if isinstance(node, ast.ClassDef)):
            for line, below in pairwise(made.body):
                match line, below:
                    case (
                        ast.AnnAssign(target=ast.Name(id=name)),
                        ast.Expr(value=ast.Constant(value=str(text))),
                    ):
                        words[made.name, name] = " ".join(text.split()).replace("None:", "null:")
    return words


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
