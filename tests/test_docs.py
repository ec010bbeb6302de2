"""The documentation is right: pages match the code, links work, commands and queries exist."""

from __future__ import annotations

import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import typer

from scripts.man_pages import VARIABLES, man_pages
from scripts.record_demo import BEGIN, END
from scripts.reference import FOLDER, MAN, pages
from stress.cli.main import app
from stress.errors import ExitCode
from stress.planning.profile import profile_keys
from stress.store.schema import schema_text

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
Refused: type[Exception] = typer.BadParameter.__mro__[1]
"""What the parser raises for arguments it rejects; typer does not export its name."""
RECORDING = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
FENCED = re.compile(r"^```$.*?^```$", re.DOTALL | re.MULTILINE)
QUERY = re.compile(r"""sqlite3 \S+\.db\s+(?:\\\n)?\s*(['"])(.*?)\1""")
QUOTING = {"casebook.md": FENCED, "backends.md": re.compile(r"^\|.*\|$", re.MULTILINE)}
"""Pages that quote reports, and what holds the quotes."""
COMMAND = re.compile(r"(?:^|`|\s)(?:\.venv/bin/)?tls-stress (?!\[)([a-z][^`|\n]*)", re.MULTILINE)


@pytest.mark.parametrize("name", sorted(pages()))
def test_generated_pages_are_as_the_code_makes_them(name: str) -> None:
    assert (FOLDER / name).read_text() == pages()[name], "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_project_work(page: Path) -> None:
    broken = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]

    assert broken == []


def commands_in(page: Path) -> Iterator[list[str]]:
    """The words after `tls-stress` wherever a page writes a command line.

    Not in a recording: the report there is wrapped, and has tests of its own.
    """
    recorded = QUOTING.get(page.name, RECORDING)
    for line in COMMAND.findall(recorded.sub("", page.read_text())):
        yield shlex.split(line.partition(" </")[0].partition(" > ")[0], comments=True)


def parses(command: Any, words: list[str]) -> bool:
    """Whether the command itself accepts these words: its options, their values, its arguments."""
    try:
        command.make_context(command.name, [word for word in words if word != "…"])
    except typer.Exit:  # --help
        return True
    except Refused:
        return False
    return True


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if "reference" not in page.parts and page.name != "CHANGELOG.md"],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_commands_that_the_pages_show_exist(page: Path) -> None:
    top: Any = typer.main.get_command(app)
    wrong = []
    for words in commands_in(page):
        command, rest = top.get_command(None, words[0].rstrip(".,:")), words[1:]
        if rest and rest[0] in getattr(command, "commands", {}):
            command, rest = command.commands[rest[0]], rest[1:]
        if command is None or not parses(command, rest):
            wrong.append(" ".join(words))

    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_queries_that_the_pages_show_run(page: Path) -> None:
    queries = [query for _, query in QUERY.findall(page.read_text())]
    with closing(sqlite3.connect(":memory:")) as run:
        run.executescript(schema_text())

        assert [run.execute(query).fetchall() for query in queries] == [[] for _ in queries]


def test_the_readme_lists_the_exit_codes_that_there_are() -> None:
    rows = re.findall(r"^\| (\d+) \| (\w+) \|", (ROOT / "README.md").read_text(), re.MULTILINE)

    assert {name: int(code) for code, name in rows} == {
        code.name.lower(): int(code) for code in ExitCode
    }


def test_every_key_of_a_load_profile_is_documented() -> None:
    rows = dict(
        re.findall(
            r"^\| `([\w-]+)` \|.*\| (\S.*) \|$",
            (FOLDER / "profiles.md").read_text(),
            re.MULTILINE,
        )
    )

    assert rows.keys() == {
        *(option.name for option in profile_keys().values()),
        *("title", "authorized"),
    }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages as `make docs` makes them: a dead link or a page that nothing leads to fails."""
    folder = tmp_path_factory.mktemp("site")
    made = subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going"),
            *("-d", folder / "trees", ROOT / "docs", folder / "site"),
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (made.returncode, made.stderr) == (0, "")
    return folder / "site"


@pytest.mark.slow
def test_the_site_has_every_page(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs") for path in ROOT.glob("docs/**/*.md")}

    assert [page for page in pages if not (site / page).with_suffix(".html").is_file()] == []
    assert (site / "index.html").is_file()


class Page(HTMLParser):
    """What a page of the site leads to, and the places in it that can be led to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in {"href", "src"}:
                self.links.append(value or "")
            elif name == "id":
                self.places.add(value or "")


@pytest.mark.slow
def test_no_link_within_the_site_is_dead(site: Path) -> None:
    pages = {path.resolve(): Page(path.read_text()) for path in site.rglob("*.html")}
    dead = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme in {"http", "https", "data"}:
                continue
            to = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            place = parts.fragment
            if not to.is_file() or (place and to in pages and place not in pages[to].places):
                dead.append(f"{path.relative_to(site.resolve())}: {link}")

    assert len(pages) > 30
    assert dead == []


@pytest.mark.slow
def test_the_site_can_be_searched_and_turns_dark(site: Path) -> None:
    home = (site / "index.html").read_text()

    assert 'action="search.html"' in home
    assert "Which question have you got?" in (site / "searchindex.js").read_text()
    (style,) = re.findall(r'href="(_static/site\.css[^"]*)"', home)
    assert "prefers-color-scheme: dark" in (site / style.partition("?")[0]).read_text()


def test_each_claim_about_another_tool_has_its_source() -> None:
    rows = re.findall(r"^\| .* \|$", (ROOT / "docs" / "comparison.md").read_text(), re.MULTILINE)
    claims = [row for row in rows if not row.startswith("| tool ")]

    assert len(claims) >= 12
    assert [row for row in claims if "](https://" not in row.rsplit(" | ", 1)[1]] == []


@pytest.mark.slow
def test_the_site_fetches_nothing(site: Path) -> None:
    fetching = re.compile(
        r"""(?:src|<link[^>]*href)=["'](?:https?:)?//|url\(["']?(?:https?:)?//|@import"""
    )
    parts = [*site.rglob("*.html"), *site.rglob("*.css")]

    assert len(parts) > 30
    assert [str(part) for part in parts if fetching.search(part.read_text())] == []


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


@pytest.mark.parametrize("name", sorted(man_pages()))
def test_the_manual_pages_are_as_the_code_makes_them(name: str) -> None:
    assert (MAN / name).read_text() == man_pages()[name], "run `make docs`"


@pytest.mark.slow
@pytest.mark.real("man")
def test_man_reads_every_manual_page_without_a_complaint() -> None:
    for page in sorted(MAN.glob("*.1")):
        done = subprocess.run(
            ["man", "--warnings=w", "--encoding=utf-8", "-l", page],
            capture_output=True,
            text=True,
            check=False,
        )
        title = page.name.removesuffix(".1").replace("-", ".")  # some locales have a real hyphen
        assert (done.returncode, done.stderr) == (0, "")
        assert re.search(rf"NAME\n +{title} +\S +\w", done.stdout)  # justified: more spaces


def test_the_variables_are_documented() -> None:
    text = (ROOT / "docs" / "how-to" / "set-up.md").read_text()

    assert {*re.findall(r"`(TLS_STRESS_\w+)` \|", text)} == {*VARIABLES}
