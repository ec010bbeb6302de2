"""Writes docs/reference and the shipped JSON Schemas from the code (`make docs`)."""

# ruff: noqa: INP001 - a script is not a package

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any, get_type_hints

import typer
from typer.core import TyperGroup

import stress
from scripts.man_pages import man_pages
from stress.cli.main import PROGRAM, WIDTH, app
from stress.clients.profiles import NAMES, clients
from stress.codes import names
from stress.codes.catalog import outcome_entries
from stress.lab.scenarios import scenarios
from stress.model.outcome import Category, Kind, Stage
from stress.model.plan import Client, Stack
from stress.planning.option import ValueType
from stress.planning.profile import NOT_OPTIONS, profile_keys, profiles
from stress.report.document import schema
from stress.store.schema import schema_text
from stress.text.tomlfile import profiles_folder

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"
MAN = ROOT / "docs" / "man"
"""The manual pages, which the wheel installs into `share/man/man1`."""
SHIPPED = {
    "client.schema.json": ROOT / "stress" / "clients" / "client.schema.json",
    "summary.schema.json": ROOT / "stress" / "report" / "summary.schema.json",
    "profile.schema.json": ROOT / "stress" / "planning" / "profile.schema.json",
}
"""The schemas as they are installed with the package."""
_VALUES = {
    ValueType.TEXT: "text or number",
    ValueType.LIST: "text, or array of texts",
    ValueType.TABLES: "array of tables",
    ValueType.SWITCH: "true or false",
    ValueType.FILE: "path, relative to the profile",
}
_NOT_OPTIONS = {"title": "text", "authorized": "array of texts"}
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
        "python.md": _python(),
        "summary.md": _summary(),
        "summary.schema.json": json.dumps(schema(), indent=2) + "\n",
        "client.schema.json": json.dumps(client_schema(), indent=2) + "\n",
        "profile.schema.json": json.dumps(profile_schema(), indent=2) + "\n",
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
    if isinstance(command, TyperGroup):
        for name in command.list_commands(context):
            yield from _helps(command.get_command(context, name), f"{path} {name}")


def _profiles() -> str:
    head = (
        "# Load profiles\n\n"
        + _MADE
        + "A load profile is a TOML file. Its keys are the options of `run` without the leading "
        "dashes; the\ncommand line overrides it. `--profile` takes a name or a path. Editors can "
        "check a profile with its\n[JSON Schema](profile.schema.json), which is installed with the "
        "package.\n\n## Keys\n\n"
    )
    options = profile_keys().values()
    rows = [(f"`{option.name}`", _VALUES[option.value], option.help) for option in options]
    rows += [(f"`{key}`", kind, NOT_OPTIONS[key]) for key, kind in _NOT_OPTIONS.items()]
    shipped = [
        f"## `{name}`\n\n```toml\n{(profiles_folder() / f'{name}.toml').read_text().strip()}\n```\n"
        for name in profiles()
    ]
    return head + _table(("key", "value", "what it does"), iter(rows)) + "\n" + "\n".join(shipped)


def profile_schema() -> dict[str, Any]:
    """Return the JSON Schema of load profiles, for editors that check TOML while it is written."""
    text: dict[str, Any] = {"type": "string"}
    amount: dict[str, Any] = {"type": ["string", "number"]}
    segment = {"rate": amount, "to": amount, "duration": amount}
    types: Mapping[ValueType, dict[str, Any]] = {
        ValueType.TEXT: amount,
        ValueType.SWITCH: {"type": "boolean"},
        ValueType.FILE: text,
        ValueType.TABLES: {
            "type": "array",
            "items": {
                "type": "object",
                "properties": segment,
                "required": ["rate", "duration"],
                "additionalProperties": False,
            },
        },
    }
    properties: dict[str, Any] = {"title": text | {"description": NOT_OPTIONS["title"]}}
    for option in profile_keys().values():
        one = {"enum": [*option.choices]} if option.choices else text
        many = {"anyOf": [one, {"type": "array", "items": one}]}
        single = one if option.choices else types.get(option.value, text)
        kind = many if option.value is ValueType.LIST else single
        properties[option.name] = kind | {"description": option.help}
    hosts = {"type": "array", "items": text, "description": NOT_OPTIONS["authorized"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Load profile of tls-stress",
        "type": "object",
        "properties": properties | {"authorized": hosts},
        "additionalProperties": False,
    }


def client_schema() -> dict[str, Any]:
    """Return the JSON Schema of client profiles: the fields of `Client` in kebab-case."""
    text: dict[str, Any] = {"type": "string"}
    hints = get_type_hints(Client)
    properties: dict[str, Any] = {}
    words = _field_words(("plan.py",))
    for entry in fields(Client):
        kind: dict[str, Any] = text
        if entry.name in NAMES:
            point = {"type": "integer", "minimum": 0, "maximum": 0xFFFF}
            hexadecimal = {"type": "string", "pattern": "^0[xX][0-9a-fA-F]{1,4}$"}
            known = {"enum": [*names.known_names(entry.name)]}
            kind = {"type": "array", "items": {"anyOf": [known, hexadecimal, point]}}
        elif entry.name == "stack":
            kind = {"enum": [*map(str, Stack)]}
        elif hints[entry.name] is bool:
            kind = {"type": "boolean"}
        elif hints[entry.name] is float:
            kind = {"type": "number", "minimum": 0, "maximum": 1e6}
        elif hints[entry.name] == tuple[str, ...]:
            kind = {"type": "array", "items": text}
        about = words.get(("Client", entry.name))
        properties[entry.name.replace("_", "-")] = kind | ({"description": about} if about else {})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Client profile of tls-stress",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def _clients() -> str:
    rows = (
        (
            f"`{c.name}`",
            c.title,
            f"`{c.policy}`",
            str(c.stack or Stack.BORINGSSL),
            "; ".join(c.cannot_express) or "-",
        )
        for c in clients().values()
    )
    heads = ("name", "program", "trust policy", "sent by", "what no TLS library here can send")
    table = _table(heads, rows)
    about = (
        "Client profiles for `--client NAME`. One TOML file each, in `profiles/clients/`. Editors "
        "check one with its\n[JSON Schema](client.schema.json), which its first line names.\n\n"
    )
    return "# Clients\n\n" + _MADE + about + table


def _scenarios() -> str:
    rows = ((f"`{name}`", scenario.title) for name, scenario in scenarios().items())
    about = "Scenarios of the lab, for `tls-stress demo NAME` and `tls-stress lab up NAME`.\n\n"
    return "# Lab scenarios\n\n" + _MADE + about + _table(("name", "what a user sees"), rows)


def _endings() -> str:
    about = (
        "Each attempt has one of these outcomes (`outcome` in the run file, `categories` in the "
        "JSON), and reached\none of these stages: "
        + ", ".join(f"`{stage.label}`" for stage in Stage)
        + ".\n\n"
    )
    titles = {
        Kind.TRUST: "Trust: the handshake finished, but a client would reject the chain",
        Kind.WIRE: "Wire: the handshake did not finish",
        Kind.OURS: "Local: never counted against the target",
        Kind.NOT_SENT: "Due, but not sent",
    }
    parts = ["# Outcomes\n\n", _MADE, about]
    for kind, title in titles.items():
        rows = ((f"`{_name(c)}`", outcome_entries()[c].phrase) for c in Category if c.kind is kind)
        parts.append(f"## {title}\n\n{_table(('name', 'these handshakes …'), rows)}\n")
    return "".join(parts).rstrip() + "\n"


def _name(category: Category) -> str:
    return "alert-<number>" if category is Category.ALERT else category.value


def _run_file() -> str:
    text = schema_text().strip()
    about = (
        "One SQLite file holds a whole run. It can be copied, mailed, and opened with any SQLite "
        "tool, even\nduring the run:\n\n```\nsqlite3 results/NAME.db "
        "'SELECT outcome, stage, count(*) FROM handshake GROUP BY 1, 2'\n```\n\n"
    )
    return f"# The run file\n\n{_MADE}{about}```sql\n{text}\n```\n"


def _python() -> str:
    """The public names of the package, with the signatures and docstrings that they have."""
    scripts = "".join(
        f"## {(ast.get_docstring(ast.parse(text)) or '').rstrip('.')}\n\n"
        f"[{path.name}](../examples/{path.name})\n\n```python\n{text.strip()}\n```\n\n"
        for path in sorted((ROOT / "docs" / "examples").glob("*.py"))
        for text in [path.read_text()]
    )
    about = (
        "`import stress` gives a program what the command line has: the same options, the same "
        "run files, the\nsame verdicts. Nothing is printed; messages go to the logger `stress`. "
        "An error of ours or yours is\nraised as a `stress.StressError` (`UsageError`, "
        "`RunFileError`, `RecordError`) with `message`, `hint` and\n`exit_code`. These names are "
        "public and stable; what else the package has is not.\n\n"
    )
    parts = ["# Python\n\n", _MADE, about]
    for name in stress.__all__:
        thing = getattr(stress, name)
        if inspect.isclass(thing) and issubclass(thing, Exception):
            continue
        parts.append(_described(f"stress.{name}", thing, "##"))
        if inspect.isclass(thing):
            for part, member in vars(thing).items():
                if not part.startswith("_"):
                    parts.append(_described(f"{name}.{part}", member, "###"))
    return ("".join(parts) + scripts).rstrip() + "\n"


def _described(name: str, thing: Any, level: str) -> str:
    """A name of the interface: its signature, and its docstring as it is."""
    function = getattr(thing, "fget", None) or getattr(thing, "func", thing)
    shown = name
    if function is thing:
        signature = str(inspect.signature(thing)).replace("(self, ", "(").replace("(self)", "()")
        shown = f"{'await ' if inspect.iscoroutinefunction(thing) else ''}{name}{signature}"
        shown = re.sub(r"'([^']*)'", r"\1", shown)
    text = inspect.getdoc(function) or ""
    return f"{level} `{name}`\n\n```\n{shown}\n\n{textwrap.indent(text, '    ')}\n```\n\n"


def _summary() -> str:
    about = (
        "`run --json`, `report --json` and `demo --json` print one document of this form. It is "
        "also\ndescribed by a [JSON Schema](summary.schema.json), which is installed with the "
        "package. Rates\nare fractions, times are microseconds; null means that there is no value."
        "\n\n"
    )
    meanings = _field_words()
    parts = ["# The summary as JSON\n\n", _MADE, about]
    for name, part in schema()["$defs"].items():
        parts.append(f"## {name}\n\n{part.get('description', '')}\n\n")
        if "enum" in part:
            parts.append("One of " + ", ".join(f"`{value}`" for value in part["enum"]) + ".\n\n")
            continue
        rows = (
            (f"`{field}`", _kind(kind), meanings.get((name, field), ""))
            for field, kind in part["properties"].items()
        )
        parts.append(_table(("field", "type", "meaning"), rows) + "\n")
    return "".join(parts).rstrip() + "\n"


def _kind(part: Mapping[str, Any]) -> str:
    """A JSON type as text, with a link to one of the definitions."""
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


def _field_words(models: Iterable[str] = _MODELS) -> Mapping[tuple[str, str], str]:
    """Class and field to the docstring under the field, from the source of the models."""
    words = {}
    for file in models:
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
    MAN.mkdir(exist_ok=True)
    for name, text in man_pages().items():
        (MAN / name).write_text(text)
    for name, place in SHIPPED.items():
        place.write_text((FOLDER / name).read_text())


if __name__ == "__main__":
    main()
