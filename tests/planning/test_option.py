from __future__ import annotations

from enum import StrEnum

import pytest

from stress.errors import UsageError
from stress.planning.option import Option, Section, ValueType, choice, later, not_empty


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


def test_an_option_of_few_words_shows_and_reads_them() -> None:
    option = Option(Section.LOAD, "Paint it.", **choice(Colour))

    assert option.metavar == "red|blue"
    assert option.read("Blue") is Colour.BLUE


def test_a_reader_is_imported_when_it_is_first_used() -> None:
    read = later("text.units.count")
    missing = later("text.units.no_such_reader")

    assert read("20k") == 20_000
    with pytest.raises(AttributeError):
        missing("5")


def test_an_empty_value_is_refused() -> None:
    assert not_empty("x") == "x"
    with pytest.raises(UsageError, match="empty"):
        not_empty(" ")


def test_an_option_is_shown_as_the_user_gives_it() -> None:
    assert Option(Section.LOAD, "", name="rate").shown == "--rate"
    assert Option(Section.PROFILE_ONLY, "", name="warm-up").shown == "warm-up"


def test_each_kind_of_option_has_its_type_metavar_and_default() -> None:
    load = Section.LOAD
    declared = (load.path(""), load.switch(""), load.repeated("", "IP"), load.option("", "N"))
    kinds = [(f.metadata["option"].value, f.metadata["option"].metavar) for f in declared]

    assert kinds == [
        (ValueType.FILE, "FILE"),
        (ValueType.SWITCH, None),
        (ValueType.LIST, "IP"),
        (ValueType.TEXT, "N"),
    ]
    assert [each.default for each in declared] == [None, False, (), None]
    assert load.switch("", default=None).default is None
    assert load.repeated("", **choice(Colour)).metadata["option"].metavar == "red|blue"
    assert load.timespan("").metadata["option"].read("30s") == 30.0
