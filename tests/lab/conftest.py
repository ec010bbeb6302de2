"""A site for the lab's tests with a fixed clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stress.lab.site import Site


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 10, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def site(tmp_path: Path, now: datetime) -> Iterator[Site]:
    made = Site(tmp_path, now, seed=1)
    yield made
    made.clear()
