"""Puts what each visit took into the report of the tests, for docs/reliability.md."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stress.lab.farm import start
from tests.strangers.doors import VISITED, visit


@pytest.fixture(autouse=True)
def visits_in_the_report(record_property: Callable[[str, object], None]) -> Iterator[None]:
    """One property for each visit of the test."""
    VISITED.clear()
    yield
    for one in VISITED:
        traceback = "Traceback" in one.err or "bug in tls-stress" in one.err
        figures = [one.door, one.file, one.seconds, one.megabytes, traceback]
        record_property("visit", json.dumps(figures))
    broken = [one.words for one in VISITED if "Traceback" in one.err or "bug in tls" in one.err]
    assert broken == []


@pytest.fixture(scope="session")
def true_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with failures, chains and evidence."""
    folder = tmp_path_factory.mktemp("true")
    with start("round-robin-1-of-8") as farm:
        address = farm.addresses[0]
        words = [
            *("run", f"{farm.host}:{address.port}", "--address", address, "--ca", farm.ca_file),
            *("-n", "80", "--processes", "1", "-q", "--results", folder, "--name", "true"),
        ]
        visited = visit([words], folder)
    assert visited.visits[0].code == 1, visited.visits[0].err
    return folder / "true.db"
