"""The short form of the soak: `make soak` does a million."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.soak import soak


@pytest.mark.slow
def test_a_farm_that_reloads_flaps_and_rotates_is_told_to_the_last_row(tmp_path: Path) -> None:
    figures = soak(5_000, 0.2, tmp_path / "results")

    assert figures.rows == 5_000
    assert figures.failures == figures.planted
    assert set(figures.failures) == {"incomplete-chain", "reset"}
    assert figures.holds
