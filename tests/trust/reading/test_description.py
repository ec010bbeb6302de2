from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.trust import describe, differs
from tests.trust.certificates import AT, DAY, Wanted, authorities, chain, issue, leaf
from tests.trust.defects import good, same_name_other_key

A = authorities()
LEAF = leaf()
COMMON = chain(LEAF, A.intermediate)


def serial(der: bytes) -> str:
    return f"(serial {describe(der).serial})"


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (COMMON, ""),
        (chain(LEAF), "same leaf; intermediate Test Intermediate missing"),
        (
            chain(LEAF, A.other_intermediate),
            "same leaf; intermediate Other Intermediate instead of Test Intermediate",
        ),
        (
            chain(LEAF, A.intermediate, A.root),
            "same leaf; one more certificate, Test Root",
        ),
        (chain(LEAF, A.intermediate, A.intermediate), "same leaf; certificates repeated"),
        ((), "no certificates"),
        ((b"x", COMMON[1]), "another leaf, which cannot be parsed"),
    ],
)
def test_what_differs_above_the_leaf_is_described(other: tuple[bytes, ...], words: str) -> None:
    assert differs(COMMON, other) == words


def test_an_order_that_differs_is_reported() -> None:
    common = chain(LEAF, A.intermediate, A.root)
    other = chain(LEAF, A.root, A.intermediate)

    assert differs(common, other) == "same leaf; the issuers in another order"


def test_an_older_leaf_tells_its_end() -> None:
    old = leaf(ends=-20 * DAY)

    said = differs(COMMON, chain(old, A.intermediate))
    expired = differs(COMMON, chain(old, A.intermediate), at=AT)

    assert said == f"another leaf valid until 2026-11-03 instead of 2027-01-22 {serial(old.der)}"
    assert expired == f"another leaf expired 2026-11-03 {serial(old.der)}"


def test_leaves_that_expire_on_one_day_are_distinguished_by_the_second() -> None:
    twin = leaf(ends=60 * DAY + 5)

    assert "until 2027-01-22T00:00:05Z instead of 2027-01-22T00:00:00Z" in differs(
        COMMON, chain(twin, A.intermediate)
    )


def test_a_leaf_for_somebody_else_tells_for_whom() -> None:
    names = ("*.other.example", "a.example", "b.example", "c.example")
    other = leaf(common_name="other", dns=names)

    said = differs(COMMON, chain(other, A.intermediate))

    assert said.startswith("another leaf for *.other.example, a.example, b.example and 1 more")
    assert "with another key" in said


def test_a_self_signed_placeholder_is_described() -> None:
    fake = issue(Wanted(common_name="DEFAULT CERT", dns=()))

    said = differs(COMMON, chain(fake))

    assert said.startswith("another leaf for DEFAULT CERT, self-signed")
    assert "missing" not in said


def test_another_issuer_and_another_key_size_are_described() -> None:
    other = issue(Wanted(), issuer=A.rsa_intermediate)

    said = differs(COMMON, chain(other, A.rsa_intermediate))

    assert "from RSA Intermediate instead of Test Intermediate" in said


def test_names_that_are_missing_and_extra_are_listed_in_full() -> None:
    many = [f"n{number}.example" for number in range(9)]
    common, other = leaf(dns=["a.example", *many]), leaf(dns=["z.example", "a.example"])

    said = differs(chain(common), chain(other))

    assert "without n0.example, n1.example" in said
    assert "n8.example and also for z.example" in said


def test_dates_are_left_out_where_something_else_differs() -> None:
    other = issue(Wanted(ends=90 * DAY), issuer=A.rsa_intermediate)

    assert "valid until" not in differs(COMMON, chain(other, A.rsa_intermediate))


def test_twins_that_differ_in_the_serial_only_say_so() -> None:
    twin = leaf()

    assert differs(COMMON, chain(twin, A.intermediate)) == (
        f"another leaf with the same names and dates {serial(twin.der)}"
    )


def test_an_intermediate_of_the_same_name_is_distinguished() -> None:
    said = differs(COMMON, (COMMON[0], same_name_other_key()[1]))

    assert said.count("Test Intermediate (serial ") == 2


@given(st.lists(st.sampled_from([*COMMON, A.root.der, b"", b"x"]), max_size=5))
def test_any_two_chains_can_be_compared_in_one_line(other: list[bytes]) -> None:
    said = differs(COMMON, tuple(other))

    assert said.isprintable()
    assert bool(said) == (tuple(other) != COMMON)
    assert isinstance(differs(tuple(other), good()), str)
