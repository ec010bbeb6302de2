"""The targets of the fuzzer, with damage of a fixed kind: the short form for every day."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS, seeds

DAMAGE = st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 255)), max_size=4)


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=60)
@given(which=st.integers(0, 3), damage=DAMAGE, keep=st.floats(0.2, 1))
def test_damaged_input_raises_nothing(
    name: str, which: int, damage: list[tuple[int, int]], keep: float
) -> None:
    good = seeds(name)
    data = bytearray(good[which % len(good)])
    for at, mask in damage:
        data[at % len(data)] ^= mask

    TARGETS[name](bytes(data[: round(keep * len(data))]))
