from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.errors import UsageError
from stress.text.tomlfile import TomlFile

Write = Callable[[str, str], Path]


def test_values_come_as_the_type_that_is_asked_for(write: Write) -> None:
    file = TomlFile.read(write("a.toml", 'count = 3\nnames = ["a", "b"]\n'))

    assert file.value("count", int) == 3
    assert file.value("names", tuple[str, ...]) == ("a", "b")


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ("a = 1\n\n# b = 2\nb = 3\n", "b", 4),
        ('"b" = 3\n', "b", 1),
        ("a = 1\n  b=3", "b", 2),
        ("[b]\nc = 1\n", "b", 1),
        ("a = 1\nb.c = 1\n", "b", 2),
        ("a = 1\nab = 1\nb = 2\n", "b", 3),
        ("a = 1\n", "b", 1),
    ],
)
def test_a_key_is_found_on_its_line(write: Write, text: str, key: str, line: int) -> None:
    assert TomlFile.read(write("a.toml", text)).line(key) == line


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = 1\nb = = 2\n", r"a\.toml, line 2: is not valid TOML"),
        ("a = 1\na = 2\n", r"a\.toml, line 2: is not valid TOML"),
        ('a = "', r"a\.toml: is not valid TOML|a\.toml, line 1: is not valid TOML"),
    ],
)
def test_what_is_no_toml_is_named_by_file_and_line(write: Write, text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        TomlFile.read(write("a.toml", text))


def test_an_unknown_key_is_named_with_the_nearest(write: Write) -> None:
    file = TomlFile.read(write("a.toml", "rate = 1\ncuont = 2\n"))

    with pytest.raises(UsageError, match=r"a\.toml, line 2: cuont: unknown key") as caught:
        file.check_keys(frozenset({"count", "rate"}))

    assert 'Did you mean "count"?' in str(caught.value.hint)


def test_a_value_of_another_type_is_named_with_what_was_expected(write: Write) -> None:
    file = TomlFile.read(write("a.toml", 'grease = "yes"\n'))

    with pytest.raises(UsageError, match=r"line 1: grease: Expected bool, got str"):
        file.value("grease", bool)


def test_a_file_that_cannot_be_read_is_a_message(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "large.toml").write_bytes(b"#" * 1_000_001)

    with pytest.raises(UsageError, match="cannot be read"):
        TomlFile.read(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="cannot be read"):
        TomlFile.read(tmp_path)
    with pytest.raises(UsageError, match="is not text"):
        TomlFile.read(tmp_path / "binary.toml")
    with pytest.raises(UsageError, match="larger than"):
        TomlFile.read(tmp_path / "large.toml")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = " + "[" * 100_000, "nested too deeply"),
        ("a." * 200_000 + "a = 1", "nested too deeply"),
        ("[" + "'a' . " * 100_000 + "a]", "nested too deeply"),
        ("a = {" + "b." * 100_000 + "b = 1}", "nested too deeply"),
        ("a = " + "9" * 100_000, "is not valid TOML"),
    ],
    ids=["arrays", "key", "table", "inline", "digits"],
)
def test_a_file_made_to_take_for_ever_is_refused_at_once(
    write: Write, text: str, says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        TomlFile.read(write("a.toml", text))


def test_a_long_line_of_addresses_is_no_deep_key(write: Write) -> None:
    addresses = ", ".join(f'"192.0.2.{n}"' for n in range(200))

    assert len(TomlFile.read(write("a.toml", f"address = [{addresses}]")).table["address"]) == 200


@given(st.binary(max_size=200))
def test_any_bytes_are_toml_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)

    try:
        assert TomlFile.read(path).path == path
    except UsageError:
        return
