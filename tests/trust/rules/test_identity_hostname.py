from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.trust.reading.certificate import describe
from stress.trust.rules.identity import ascii_name, common_name_is, covers, literal, names_host
from tests.trust.certificates import leaf

LEAF = describe(
    leaf(
        common_name="common.test",
        dns=("good.test", "*.wild.test", "xn--mnchen-3ya.test"),
        addresses=("192.0.2.1", "2001:db8::1"),
    ).der
)


@pytest.mark.parametrize(
    "host",
    [
        "good.test",
        "GOOD.test.",
        "a.wild.test",
        "münchen.test",
        "192.0.2.1",
        "2001:DB8:0::1",
        "[2001:db8::1]",
    ],
)
def test_a_host_that_is_named_is_found(host: str) -> None:
    assert names_host(LEAF, host)


@pytest.mark.parametrize(
    "host",
    [
        "bad.test",
        "wild.test",
        "a.b.wild.test",
        ".wild.test",
        "common.test",
        "192.0.2.2",
        "::ffff:192.0.2.1",
        "good.test.evil.test",
        "x" * 64 + ".test",
        "ü" * 70 + ".test",
    ],
)
def test_a_host_that_is_not_named_is_not_found(host: str) -> None:
    assert not names_host(LEAF, host)


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("*.test", "good.test", False),
        ("*", "good", False),
        ("g*.wild.test", "good.wild.test", False),
        ("a.*.test", "a.b.test", False),
        ("", "", False),
    ],
)
def test_a_star_is_one_whole_first_label_below_two_others(
    pattern: str, name: str, fits: bool
) -> None:
    assert covers(pattern, name) == fits


def test_the_common_name_is_compared_like_a_name() -> None:
    assert common_name_is(LEAF, "Common.Test")
    assert not common_name_is(LEAF, "good.test")
    assert not common_name_is(LEAF, "192.0.2.1")


@pytest.mark.slow
@given(st.text(max_size=300))
def test_any_text_can_be_asked_for(host: str) -> None:
    names_host(LEAF, host)
    common_name_is(LEAF, host)
    assert ascii_name(host) is not None
    assert literal(host) is None or host.strip("[]")
