from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.text.escape import printable


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("good.test", "good.test"),
        ("Zürich, 東京", "Zürich, 東京"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("two\nlines", "two\\x0alines"),
        ("moc.\u202egnp", "moc.\\u202egnp"),
        ("back\\slash", "back\\\\slash"),
        ("z\u0336", "z\\u0336"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("no\u00a0break", "no break"),
    ],
)
def test_what_cannot_be_seen_is_escaped(raw: str, shown: str) -> None:
    assert printable(raw) == shown


def test_long_texts_are_cut_with_an_ellipsis() -> None:
    assert printable("x" * 300, 5) == "xxxxx…"
    assert printable("x" * 5, 5) == "xxxxx"


@pytest.mark.slow
@given(st.text())
def test_the_result_is_one_visible_line_that_can_be_encoded(raw: str) -> None:
    shown = printable(raw)

    assert shown.encode("utf-8").decode() == shown
    assert shown.isprintable()
    assert len(shown.splitlines()) <= 1
