"""The table of attributes agrees with the record that it describes."""

from __future__ import annotations

from collections import Counter

import pytest

from stress.model.attributes import ATTRIBUTES, SHARED, Dimension, KnownFrom, place
from stress.model.record import Record
from stress.model.run import CELL_FIELDS, CELL_OTHERS
from stress.model.summary import Comparator, Condition

NOT_IN_THE_TABLE = {"id", "due_ns", "started_ns", "detail"}
"""Fields of a record that are stored in a way of their own."""
NOT_OF_AN_ATTRIBUTE = {
    Dimension.TIME,
    Dimension.LOCAL_PORT,
    Dimension.STAGE,
    Dimension.CONNECT_MODE,
}
"""Dimensions that are made otherwise, or whose attribute is not recorded yet."""


def test_each_field_of_a_record_is_described_once() -> None:
    names = [each.name for each in ATTRIBUTES]

    assert sorted(names) == sorted({*Record._fields} - NOT_IN_THE_TABLE)


def test_each_dimension_is_made_of_one_attribute() -> None:
    """But for the vantage: a machine where runs were merged, else one of our own addresses."""
    made = Counter(dimension for each in SHARED for dimension in each.dimensions)

    assert {*made} == {*Dimension} - NOT_OF_AN_ATTRIBUTE
    assert [one for one, times in made.items() if times > 1] == [Dimension.VANTAGE]


def test_a_cell_has_each_attribute_that_is_a_dimension() -> None:
    needed = {each.name for each in SHARED if each.dimensions}

    assert needed <= {*CELL_FIELDS, *CELL_OTHERS}
    assert not {*CELL_FIELDS} & {*CELL_OTHERS}


@pytest.mark.parametrize("dimension", Dimension)
def test_a_dimension_is_its_name_and_has_a_phrase_for_any_value(dimension: Dimension) -> None:
    assert Dimension(dimension.value) is dimension
    assert "x" in dimension.phrase("x")


@pytest.mark.parametrize("name", ["carrier", "ADDRESS", "", "{0.__class__}", "%s", "a = b"])
def test_any_other_name_is_a_dimension_that_nothing_is_known_about(name: str) -> None:
    column = Dimension(name)

    assert column == Dimension(name) == name
    assert hash(column) == hash(Dimension(name))
    assert column not in list(Dimension)
    assert column.when is KnownFrom.ASSIGNED
    assert column.priority > max(one.priority for one in Dimension)
    assert column.phrase("{value}") == f"{name} = {{value}}"


def test_a_place_in_columns_of_others_begins_with_where() -> None:
    carrier, app = Condition("carrier", "c2"), Condition("app", "5.3", Comparator.IS_NOT)
    address = Condition("address", "192.0.2.7:443")

    assert place([carrier]) == "where carrier = c2"
    assert place([carrier, app]) == "where carrier = c2 and app is not 5.3"
    assert place([carrier, address]) == "at 192.0.2.7:443 where carrier = c2"
