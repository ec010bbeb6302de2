"""Every promise names tests that exist, and the page lists all promises."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from scripts.reliability import DOORS, PAGE, named, page, promised

TESTS = Path(__file__).resolve().parent


@pytest.mark.parametrize("test", sorted(set(named())))
def test_a_promise_names_tests_that_exist(test: str) -> None:
    file, _, name = test.partition("::")
    tree = ast.parse((TESTS / file).read_text())
    known = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}

    assert not name or name in known


def test_the_page_lists_every_promise() -> None:
    text = PAGE.read_text()

    for part in promised():
        for promise, _ in part["promises"]:
            assert f"| {promise} |" in text


def test_every_door_was_tried_with_many_files_and_held() -> None:
    rows = {line.split("`")[1]: line for line in PAGE.read_text().splitlines() if "| `" in line}

    for door in DOORS:
        files, seconds, megabytes, tracebacks = (
            float(cell.replace(",", "")) for cell in rows[door].split("|")[2:6]
        )
        assert files >= 20
        assert seconds <= 10
        assert megabytes <= 500
        assert tracebacks == 0


def test_outcomes_are_counted_by_file_and_by_test() -> None:
    results = {
        "engine/checks/test_refusals_breaker.py::test_other_stories_do_not": Counter(
            passed=3, failed=1
        ),
        "planning/test_consent.py::test_x": Counter(passed=2),
    }

    visits = {"report": [("a.db", 1.26, 90.4, False), ("a.db", 0.5, 10.0, True)]}

    text = page(results, visits, None)

    assert "1 failed, 3 passed" in text
    assert "5 passed, 1 failed, 0 skipped" in text
    assert "| `report` | 1 | 1.3 | 90 | 1 |" in text
