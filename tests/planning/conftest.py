"""What the planning tests share: a machine of known size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stress.host.limits import Machine


@pytest.fixture
def machine() -> Machine:
    """Four cores and room for 1,000 files a process, in the middle of the net."""
    return Machine(cores=4, open_files=1000, local_ports=28_232, reaches=lambda _: True)


@pytest.fixture
def own_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Writes a profile into the user's own folder, where its consent counts."""
    folder = tmp_path / "config" / "tls-stress"
    folder.mkdir(parents=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def written(name: str, text: str) -> Path:
        (folder / name).write_text(text)
        return folder / name

    return written
