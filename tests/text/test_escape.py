import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.text.escape import LONGEST, escape, escape_json

ANY_TEXT = st.text(st.characters())


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("a\r\nb\tc", r"a\r\nb\tc"),
        ("\x9b31m", r"\x9b31m"),
        ("\x00", r"\x00"),
        ("abc\u202edcba", r"abc\u202edcba"),
        ("\u2066x\u2069", r"\u2066x\u2069"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("line\u2028separator", r"line\u2028separator"),
        ("\udc80", r"\udc80"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_what_a_terminal_obeys_is_shown_instead(hostile: str, shown: str) -> None:
    assert escape(hostile) == shown


@pytest.mark.parametrize("kind", ["CN=lab.test", "O=Müller & Söhne", "CN=例え", "0.49\u202f%", ""])
def test_letters_of_every_script_stay_as_they_are(kind: str) -> None:
    assert escape(kind) == kind


def test_a_giant_name_is_cut_and_counted() -> None:
    shown = escape("A" * 65_000)

    assert shown.startswith("A" * LONGEST)
    assert shown.endswith("… (65,000 characters)")


@given(ANY_TEXT)
def test_the_result_is_always_printable_and_encodable(text: str) -> None:
    shown = escape(text)

    assert all(each.isprintable() or each in "\u00a0\u202f" for each in shown)
    assert shown.encode("utf-8").decode("utf-8") == shown


@given(st.text())
def test_escaped_json_is_the_same_value_and_shows_no_live_character(text: str) -> None:
    document = escape_json(json.dumps({text: text}, ensure_ascii=False))

    assert json.loads(document) == {text: text}
    assert not set(document) & set("\x7f\x9b\u061c\u200b\u202e\u2028\u2066\ufeff")
