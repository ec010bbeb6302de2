from __future__ import annotations

import pytest

from stress.errors import UsageError
from stress.model.plan import Close
from stress.text.escape import chosen, did_you_mean, nearest


@pytest.mark.parametrize(
    ("word", "meant"),
    [("smok", "smoke"), ("consistancy", "consistency"), ("zzz", None), ("", None)],
)
def test_the_nearest_word_is_offered_only_when_it_is_near(word: str, meant: str | None) -> None:
    assert nearest(word, ["smoke", "consistency", "soak"]) == meant


def test_a_hint_lists_all_that_is_known() -> None:
    assert did_you_mean("soaks", ["soak", "smoke"]) == 'Did you mean "soak"? Known: smoke, soak.'
    assert did_you_mean("x", []) == "None is known."


def test_a_choice_is_read_whatever_its_case() -> None:
    assert chosen(Close, " FIN ") is Close.FIN


def test_a_word_that_is_no_choice_gets_the_nearest() -> None:
    with pytest.raises(UsageError, match='"fim" is not one of auto, fin, rst') as caught:
        chosen(Close, "fim")

    assert 'Did you mean "fin"?' in str(caught.value.hint)
