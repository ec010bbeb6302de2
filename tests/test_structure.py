"""The house keeps its own rules: a test for each module, short files, words that say something."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted(path.relative_to(ROOT) for path in ROOT.glob("stress/**/*.py"))
ROOMS = sorted(path for path in MODULES if path.name == "__init__.py" and len(path.parts) == 3)
WITHOUT_TEST = {"__init__.py", "__main__.py"}
LONGEST = 600
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "base"}

# Left-overs and ways round the real thing; written in halves so that this file passes itself.
LEFT_OVERS = re.compile(r"\b(TO" "DO|FIX" "ME|X" r"XX)\b|mock\.pat" "ch|Magic" "Mock")
SOMEBODYS_MACHINE = re.compile(r"(?<![\w.])/(?:ho" "me|Us" "ers|wo" r"rk)/\w")


def committed() -> list[Path]:
    """The text files git would keep, tracked or about to be; all files where there is no git."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git checkout to list")
    files = [ROOT / name for name in names.decode().split("\0") if name]
    return [path for path in files if path.suffix in {".py", ".md", ".toml", ".yml", ".sql", ""}]


def test_every_module_has_a_test_file_of_its_own() -> None:
    modules = [module for module in MODULES if module.name not in WITHOUT_TEST]
    folders = {m: ROOT / Path("tests", *m.parts[1:-1]) for m in modules}

    assert [str(m) for m, f in folders.items() if not [*f.glob(f"test_{m.stem}*.py")]] == []


@pytest.mark.parametrize("room", ROOMS, ids=str)
def test_every_room_says_in_one_sentence_what_it_does(room: Path) -> None:
    sentence = ast.get_docstring(ast.parse((ROOT / room).read_text()))

    assert sentence
    assert sentence.split("\n\n")[0].endswith((".", ":"))


def test_no_source_file_is_longer_than_a_reader_can_hold() -> None:
    files = [
        path
        for folder in ("stress", "tests", "benchmarks")
        for path in ROOT.glob(f"{folder}/**/*.py")
    ]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}

    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert [str(module) for module in MODULES if module.stem in EMPTY_NAMES] == []


def test_nothing_is_left_over_in_the_tree() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in committed()
        if path.suffix == ".py" and path.is_file()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if LEFT_OVERS.search(line)
    ]

    assert found == []


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in committed()
        if path.is_file()
        for match in SOMEBODYS_MACHINE.finditer(path.read_text(errors="replace"))
    ]

    assert found == []


def test_no_room_reaches_for_anothers_private_names() -> None:
    found = [
        f"{module}: {node.module}.{name.name}"
        for module in MODULES
        for node in ast.walk(ast.parse((ROOT / module).read_text()))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("stress.")
        for name in node.names
        if name.name.startswith("_") and node.module.split(".")[1] != module.parts[1]
    ]

    assert found == []
