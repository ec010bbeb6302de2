"""What the planning tests share: a machine of known size, and files of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stress.planning.machine import Machine


@pytest.fixture
def machine() -> Machine:
    """Four cores and room for 1,000 files a process, in the middle of the net."""
    return Machine(cores=4, open_files=1000, local_ports=28_232, reaches=lambda _: True)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Writes a text into a file of the test's own folder."""

    def put(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return put
