import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.text.escape import LONGEST, escape, escape_json, printable, quoted, with_letters

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
def test_what_a_terminal_acts_upon_is_shown_instead(hostile: str, shown: str) -> None:
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


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("good.test", "good.test"),
        ("Zürich, 東京", "Zürich, 東京"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("two\nlines", "two\\nlines"),
        ("moc.\u202egnp", "moc.\\u202egnp"),
        ("back\\slash", "back\\\\slash"),
        ("z\u0336", "z\\u0336"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("no\u00a0break", "no break"),
    ],
)
def test_a_name_from_the_network_cannot_hide_or_imitate_anything(raw: str, shown: str) -> None:
    assert printable(raw) == shown


def test_long_names_are_cut_with_an_ellipsis() -> None:
    assert printable("x" * 300, 5) == "xxxxx…"
    assert printable("x" * 5, 5) == "xxxxx"


@pytest.mark.slow
@given(st.text())
def test_a_printable_name_is_one_visible_line_that_can_be_encoded(raw: str) -> None:
    shown = printable(raw)

    assert shown.encode("utf-8").decode() == shown
    assert shown.isprintable()
    assert len(shown.splitlines()) <= 1


@given(st.text())
def test_what_is_quoted_is_one_short_line_of_ascii(text: str) -> None:
    shown = quoted(text)

    assert shown.isascii()
    assert shown.isprintable() or not shown


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("smoke", "smoke"),
        ("a\nb", r"a\nb"),
        ("caf\u00e9", r"caf\xe9"),
        ("C:\\x", "C:\\x"),
        (5, "5"),
    ],
)
def test_a_word_of_the_users_is_quoted_as_typed_where_it_is_ascii(word: object, shown: str) -> None:
    assert quoted(word) == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("www.example.com", "www.example.com"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example (bücher.example)"),
        ("xn--bcher-kva.example.", "xn--bcher-kva.example. (bücher.example.)"),
        (
            "xn--strae-oqa.example",
            (
                "xn--strae-oqa.example (straße.example; Java and Python connect to strasse.example"
                " instead)"
            ),
        ),
        ("xn--zz.example", "xn--zz.example"),  # no A-label
        ("192.0.2.1", "192.0.2.1"),
    ],
)
def test_a_name_with_a_labels_is_shown_with_its_letters(name: str, shown: str) -> None:
    assert with_letters(name) == shown
