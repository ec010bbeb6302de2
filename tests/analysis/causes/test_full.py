"""What fills a target: a limit of our own load, a limit that others reach, or a restart."""

import numpy as np
import pytest

from benchmarks.full import first


@pytest.mark.parametrize(
    ("world", "right"),
    [
        ("others, a second", {"connection-limit", "draining"}),
        ("a restart", {"connection-limit", "draining"}),
        ("bucket of 25/s", {"rate-limiter"}),
        ("40 in the last second", {"rate-limiter", "locked-out"}),
    ],
)
def test_the_likeliest_cause_is_one_that_was_planted(world: str, right: set[str]) -> None:
    random = np.random.default_rng(7)

    assert all(first(random, world) in right for _ in range(2))
