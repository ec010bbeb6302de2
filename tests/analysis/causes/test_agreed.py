"""Nodes that agree on something else are found, and nothing where each rightly has its own."""

import numpy as np
import pytest

from benchmarks.agreed import ALIKE, DIFFERENT, told


@pytest.mark.parametrize("world", DIFFERENT)
def test_nodes_that_differ_are_found_with_their_place(world: str) -> None:
    node, right = DIFFERENT[world]

    assert told(np.random.default_rng(8), node) == [right]


@pytest.mark.parametrize("world", ALIKE)
def test_what_rightly_differs_is_no_inconsistency(world: str) -> None:
    assert told(np.random.default_rng(9), ALIKE[world]) == []
