"""The documentation tells the truth: pages match the code, links lead somewhere, words exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from scripts.reference import FOLDER, pages
from stress.cli.main import app
from stress.errors import ExitCode
from stress.planning.settings import SETTINGS

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
COMMAND = re.compile(r"(?:^|`|\s)(?:\.venv/bin/)?tls-stress (?!\[)([a-z][^`|\n]*)", re.MULTILINE)


@pytest.mark.parametrize("name", sorted(pages()))
def test_generated_pages_are_as_the_code_makes_them(name: str) -> None:
    assert (FOLDER / name).read_text() == pages()[name], "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_project_lead_somewhere(page: Path) -> None:
    broken = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]

    assert broken == []


def commands_in(page: Path) -> Iterator[list[str]]:
    """The words after `tls-stress` wherever a page writes a command line."""
    for line in COMMAND.findall(page.read_text()):
        yield shlex.split(line.partition(" </")[0].partition(" > ")[0], comments=True)


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if "reference" not in page.parts and page.name != "CHANGELOG.md"],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_commands_that_the_pages_show_exist(page: Path) -> None:
    top: Any = typer.main.get_command(app)
    wrong = []
    for words in commands_in(page):
        command = top.commands.get(words[0].rstrip(".,:"))
        if len(words) > 1 and words[1] in getattr(command, "commands", {}):
            command = command.commands[words[1]]
        known = {option for each in getattr(command, "params", ()) for option in each.opts}
        asked = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        if command is None or asked - known - {"--help"}:
            wrong.append(" ".join(words))

    assert wrong == []


def test_the_readme_lists_the_exit_codes_that_there_are() -> None:
    rows = re.findall(r"^\| (\d+) \| (\w+) \|", (ROOT / "README.md").read_text(), re.MULTILINE)

    assert {name: int(code) for code, name in rows} == {
        code.name.lower(): int(code) for code in ExitCode
    }


def test_every_key_of_a_load_profile_is_documented() -> None:
    text = (FOLDER / "profiles.md").read_text()

    assert [key for key in SETTINGS if f"`{key}`" not in text] == []


def test_the_map_for_contributors_names_files_that_exist() -> None:
    rows = [
        line
        for line in (ROOT / "CONTRIBUTING.md").read_text().splitlines()
        if line.startswith("| ") and "`" in line
    ]
    named = {
        name for row in rows for name in re.findall(r"`((?:stress|profiles|tests)/[^`]*)`", row)
    }

    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
