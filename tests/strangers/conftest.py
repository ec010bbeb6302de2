"""Puts what each visit took into the report of the tests, for docs/reliability.md."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from tests.strangers.doors import VISITED


@pytest.fixture(autouse=True)
def visits_in_the_report(record_property: Callable[[str, object], None]) -> Iterator[None]:
    """One property for each visit of the test."""
    VISITED.clear()
    yield
    for one in VISITED:
        traceback = "Traceback" in one.err or "bug in tls-stress" in one.err
        figures = [one.door, one.file, one.seconds, one.megabytes, traceback]
        record_property("visit", json.dumps(figures))
