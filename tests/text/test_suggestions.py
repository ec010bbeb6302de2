from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.errors import UsageError
from stress.model.plan import Close
from stress.text.suggestions import chosen, did_you_mean, nearest, printable


@given(st.text())
def test_what_is_quoted_is_one_short_line_of_ascii(text: str) -> None:
    shown = printable(text)

    assert shown.isascii()
    assert shown.isprintable() or not shown


@pytest.mark.parametrize(
    ("word", "meant"),
    [("smok", "smoke"), ("consistancy", "consistency"), ("zzz", None), ("", None)],
)
def test_the_nearest_word_is_offered_only_when_it_is_near(word: str, meant: str | None) -> None:
    assert nearest(word, ["smoke", "consistency", "soak"]) == meant


def test_a_hint_lists_all_that_is_known() -> None:
    assert did_you_mean("soaks", ["soak", "smoke"]) == 'Did you mean "soak"? Known: smoke, soak.'
    assert did_you_mean("x", []) == "None is known here."


def test_a_choice_is_read_whatever_its_case() -> None:
    assert chosen(Close, " FIN ") is Close.FIN


def test_a_word_that_is_no_choice_gets_the_nearest() -> None:
    with pytest.raises(UsageError, match='"fim" is not one of auto, fin, rst') as caught:
        chosen(Close, "fim")

    assert 'Did you mean "fin"?' in str(caught.value.hint)
