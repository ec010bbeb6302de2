"""The casebook: its cases are right, and the page holds all of them."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace

import msgspec
import pytest

from tests.cases.__main__ import BOOK, anchor, book, recorded
from tests.cases.case import Asked, Case, ask, needed, read_cases
from tests.cases.check import differences

CASES = read_cases()
ALL = os.environ.get("CASES") == "all"
RIGHT = {
    "causes": [{"likely": [{"id": "draining"}, {"id": "node-down"}]}],
    "unexplained": {"likely": []},
    "failures": {"share": 0.25},
    "validity": {"reasons": ["load generator saturated"]},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.fast or ALL])
def test_the_answer_is_right(name: str) -> None:
    case = CASES[name]
    for program in needed(case):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}")

    assert list(differences(case, ask(case))) == []


def test_every_case_says_how_it_is_known_and_has_its_place_in_the_book() -> None:
    page = BOOK.read_text()

    assert len(CASES) >= 40
    assert len({case.title for case in CASES.values()}) == len(CASES)
    for name, case in CASES.items():
        assert case.known
        assert f"<!-- case {name} -->\n\n### {case.title}\n" in page
        assert f"](#{anchor(case.title)})\n" in page
    assert recorded(book(CASES, recorded(page))) == recorded(page)
    assert sum(case.fast for case in CASES.values()) >= 12


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        ({}, []),
        ({"exits": (0,)}, ["exit 1, not one of (0,)"]),
        ({"share": (0.2, 0.3)}, []),
        ({"share": (0.3, 0.4)}, ["the share is 0.25, planted was (0.3, 0.4)"]),
        ({"likely": ("draining",)}, []),
        (
            {"likely": ("node-down",)},
            ["the first likely cause is draining, not one of ('node-down',)"],
        ),
        ({"say": ("two +words",)}, []),
        ({"say": ("three",)}, ["it does not say /three/"]),
        ({"never": ("node-down",)}, ["it says node-down"]),
        ({"never": ("rate-limiter", "three words")}, []),
        ({"never": ("TWO words",)}, ["it says TWO words"]),
    ],
)
def test_a_difference_is_named(expected: dict[str, object], told: list[str]) -> None:
    case = msgspec.structs.replace(Case(title="", situation="", chapter="", known=""), **expected)
    asked = Asked(1, RIGHT, "two\n  words", ())

    assert list(differences(case, asked)) == told
    assert any("exit 2" in one for one in differences(case, replace(asked, exit=2)))
    assert not any("exit" in one for one in differences(case, replace(asked, exit=4)))
