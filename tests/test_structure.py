"""The package keeps its own rules: a test for each module, short files, few and shallow imports.

The bounds are what the package reached; a change that needs a higher one says why.
"""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted(path.relative_to(ROOT) for path in ROOT.glob("stress/**/*.py"))
ROOMS = sorted(path for path in MODULES if path.name == "__init__.py" and len(path.parts) == 3)
WITHOUT_TEST = {"__init__.py", "__main__.py"}
LONGEST_FILE = 600
LONGEST_FUNCTION = 60
MOST_FILES = 265
DEEPEST_IMPORT = 11
MOST_USED_ONCE = 0.127
"""Of all functions: private ones with a single use, which are often better read in place."""
MOST_OF_ONE_MODULE = 43
"""Modules that one other imports: often the two are one thing. Ten are scripts of `--starttls`."""
DEFINED_TWICE = 2
"""Public class names that two modules define; `stress.Plan` is the face of the model's."""
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


def test_no_source_file_is_too_long() -> None:
    files = [
        path
        for folder in ("stress", "tests", "benchmarks")
        for path in ROOT.glob(f"{folder}/**/*.py")
    ]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}

    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE} == {}


@cache
def trees() -> dict[str, ast.Module]:
    """Every module of the package by its dotted name, parsed."""
    names = (".".join(path.with_suffix("").parts) for path in MODULES)
    return {
        name.removesuffix(".__init__"): ast.parse((ROOT / path).read_text())
        for name, path in zip(names, MODULES, strict=True)
    }


Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions() -> Iterator[tuple[str, Function]]:
    """Every function and method with the name of its module."""
    for name, tree in trees().items():
        yield from ((name, node) for node in ast.walk(tree) if isinstance(node, Function))


def loaded_at_start(node: ast.AST) -> Iterator[str]:
    """What a module imports when it is loaded itself: not in functions, not for types alone."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ImportFrom):
            yield from (f"{child.module}.{name.name}" for name in child.names)
            yield child.module or ""
        elif isinstance(child, ast.Import):
            yield from (name.name for name in child.names)
        elif not isinstance(child, Function) and not (
            isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        ):
            yield from loaded_at_start(child)


def imports() -> dict[str, set[str]]:
    """The modules of the package that each imports; the package itself imports nothing."""
    known = trees().keys() - {"stress"}
    return {name: known & set(loaded_at_start(tree)) - {name} for name, tree in trees().items()}


def test_the_package_has_few_files() -> None:
    assert len(MODULES) <= MOST_FILES


def test_no_function_is_too_long() -> None:
    lengths = {
        f"{module}.{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for module, node in functions()
    }

    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION} == {}


def test_few_private_functions_are_used_once() -> None:
    uses = {
        module: Counter(
            node.id if isinstance(node, ast.Name) else node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Name | ast.Attribute)
        )
        for module, tree in trees().items()
    }
    every = list(functions())
    once = [
        f"{module}.{node.name}"
        for module, node in every
        if re.match(r"_[^_]", node.name) and uses[module][node.name] == 1
    ]

    assert len(once) / len(every) < MOST_USED_ONCE, once


def test_few_modules_are_imported_by_one_other_alone() -> None:
    importers = Counter(other for below in imports().values() for other in below)
    rooms = {".".join(path.parent.parts) for path in MODULES if path.name == "__init__.py"}
    alone = sorted(name for name, times in importers.items() if times == 1 and name not in rooms)

    assert len(alone) <= MOST_OF_ONE_MODULE, alone


def test_no_modules_import_each_other_in_a_ring() -> None:
    try:
        order = list(TopologicalSorter(imports()).static_order())
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))

    assert len(order) == len(MODULES)


def test_imports_are_not_deeper_than_the_bound() -> None:
    depth: dict[str, int] = {}
    below = imports()
    for name in TopologicalSorter(below).static_order():
        depth[name] = 1 + max((depth[other] for other in below[name]), default=0)
    deepest = max(depth, key=depth.__getitem__)

    assert depth[deepest] <= DEEPEST_IMPORT, deepest


def test_a_class_name_is_defined_once() -> None:
    defined = Counter(
        node.name
        for tree in trees().values()
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    twice = [name for name, times in defined.items() if times > 1]

    assert len(twice) <= DEFINED_TWICE, twice


def test_every_exempted_security_rule_has_its_reason() -> None:
    """`noqa: S603 - ours`: ruff checks the package for insecure code; an exception is explained."""
    bare = [
        f"{path.relative_to(ROOT)}:{number}"
        for folder in ("stress", "scripts")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"noqa: (?:[A-Z]+\d+, ?)*S\d++(?![-#\s]+\w)", line)
    ]
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    ignored = [
        rule
        for pattern, rules in ({"**": settings["ignore"]} | settings["per-file-ignores"]).items()
        if not pattern.startswith(("tests/", "benchmarks/"))
        for rule in rules
        if re.fullmatch(r"S\d*", rule) and rule != "S101"  # asserts state invariants
    ]

    assert settings["select"] == ["ALL"]
    assert (ignored, bare) == ([], [])


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


def test_no_room_imports_anothers_private_names() -> None:
    found = [
        f"{module}: {node.module}.{name.name}"
        for module, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("stress.")
        for name in node.names
        if name.name.startswith("_") and node.module.split(".")[1] not in module.split(".")[1:2]
    ]

    assert found == []
