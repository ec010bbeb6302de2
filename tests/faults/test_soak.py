"""The short form of the soak: `make soak` does a million."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.soak import soak


@pytest.mark.long
@pytest.mark.slow
def test_a_farm_that_reloads_flaps_and_rotates_is_told_to_the_last_row(tmp_path: Path) -> None:
    figures = soak(5_000, 0.2, tmp_path / "results")

    assert figures.rows == 5_000
    assert figures.failures == figures.planted
    assert set(figures.failures) == {"incomplete-chain", "reset"}
    assert figures.holds
    assert not replace(figures, attempts=1_000_000, rows=1_000_000, kib_per_million=20_000).holds
    assert replace(figures, attempts=1_000_000, rows=1_000_000, kib_per_million=-50).holds
