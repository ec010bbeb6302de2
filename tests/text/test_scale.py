import pytest

from stress.text.scale import ends, in_order, scale


@pytest.mark.parametrize(
    ("values", "ordered"),
    [
        (["17.10", "17.9", "17.2.1", "17.2"], ("17.2", "17.2.1", "17.9", "17.10")),
        (["iOS 9.3", "Android 14", "iOS 17.0"], ("Android 14", "iOS 9.3", "iOS 17.0")),
        (["TLSv1.3", "TLSv1.0", "TLSv1.2"], ("TLSv1.0", "TLSv1.2", "TLSv1.3")),
        (["100", "9", "20"], ("9", "20", "100")),
        (["-3", "0.5", "0.05", "12"], ("-3", "0.05", "0.5", "12")),
        (["120.0.6099.109", "99.0.4844.51"], ("99.0.4844.51", "120.0.6099.109")),
        (["10 to 12", "0 to 8", "9"], ("0 to 8", "9", "10 to 12")),
    ],
)
def test_versions_and_numbers_have_an_order(values: list[str], ordered: tuple[str, ...]) -> None:
    found = in_order(values)

    assert found == ordered
    assert scale(found) is not None


@pytest.mark.parametrize(
    "values",
    [
        ["10.0.0.9", "10.0.0.10"],
        ["node-9", "node-10"],
        ["eu-west-1", "eu-west-2"],
        ["17.2", "unknown"],
        ["2026-03-01", "2026-03-02"],
        ["1" * 200, "2"],
        [],
    ],
)
def test_names_have_only_the_alphabet(values: list[str]) -> None:
    assert scale(values) is None
    assert in_order(values) == tuple(sorted(values))


def test_two_neighbouring_versions_are_a_range_but_not_two_numbers() -> None:
    versions, numbers = scale(("16.4", "17.0", "17.1")), scale(("3", "4", "5"))

    assert versions is not None
    assert numbers is not None
    assert (versions.fewest, numbers.fewest) == (2, 3)


def test_a_range_of_ranges_has_their_outer_ends() -> None:
    assert ends("0 to 8", "9") == ("0", "9")
    assert ends("17.2", "17.4") == ("17.2", "17.4")
