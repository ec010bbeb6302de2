from collections.abc import Callable

from stress.analysis.causes.table import UNKNOWN, Reading, tabulate
from stress.model.attributes import Dimension
from stress.model.run import Cell

VERSION = Reading(Dimension.TLS_VERSION, "tls_version", str)
FAMILY = Reading(Dimension.FAMILY, "address", lambda number: "ipv4" if number == 0 else "ipv6")


def test_codes_follow_the_sorted_texts(cell: Callable[..., Cell]) -> None:
    table = tabulate(
        [cell(1, tls_version=9), cell(2, tls_version=7), cell(3, tls_version=None)], [VERSION]
    )
    column = table.column(Dimension.TLS_VERSION)

    assert column is not None
    assert column.values == ("7", "9")
    assert column.codes.tolist() == [1, 0, UNKNOWN]
    assert table.counts.tolist() == [1, 2, 3]


def test_two_values_of_one_text_are_one(cell: Callable[..., Cell]) -> None:
    table = tabulate([cell(1, address=number) for number in range(3)], [FAMILY, VERSION])
    column = table.column(Dimension.FAMILY)

    assert column is not None
    assert column.codes.tolist() == [0, 1, 1]


def test_what_says_nothing_about_the_target_is_left_out(cell: Callable[..., Cell]) -> None:
    table = tabulate(
        [cell(1), cell(1, outcome="cancelled"), cell(1, outcome="not-sent"), cell(0)], [VERSION]
    )

    assert len(table) == 1
    assert table.column(Dimension.CLIENT) is None


def test_an_empty_cube_is_an_empty_table() -> None:
    assert len(tabulate([], [VERSION])) == 0
