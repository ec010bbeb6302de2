"""A real headless Chromium: loads a page and returns its log."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path

import pytest

from stress.cli.main import main
from stress.lab.farm import start

FLAGS = (
    "--headless",
    "--no-sandbox",  # root may not use it; the pages are our own
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--enable-logging=stderr",
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the browser made of a page."""

    dom: str
    log: str

    @property
    def console(self) -> list[str]:
        """What the page said on the console, policy violations included."""
        return [line for line in self.log.splitlines() if "CONSOLE" in line]


Browse = Callable[..., Shown]


@pytest.fixture
def browse(tmp_path: Path) -> Browse:
    """Opens a file or an address; with `*words` as further flags."""

    def opened(place: Path | str, *words: str) -> Shown:
        url = place.as_uri() if isinstance(place, Path) else place
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        wanted = words or ("--dump-dom",)
        command = [shutil.which("chromium") or "chromium", *FLAGS, profile, *wanted, url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return Shown(done.stdout, done.stderr)

    return opened


@dataclass(frozen=True, slots=True)
class Reported:
    """A run in a faulty farm, its page and its JSON."""

    page: Path
    json: str


def _report(scenario: str, folder: Path) -> Reported:
    page, printed = folder / "page.html", StringIO()
    with start(scenario) as farm, redirect_stdout(printed):
        address = farm.addresses[0]
        target = (f"{farm.host}:{address.port}", "--address", str(address), "--ca", farm.ca_file)
        where = ("--results", folder, "--name", "run", "--html", page, "--json")
        words = ("run", *target, "-n", "400", "--processes", "1", *where)
        assert main([str(word) for word in words]) == int(scenario != "healthy")
    return Reported(page, printed.getvalue())


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Reported]:
    """A run of 400 handshakes in the farm of a scenario, made once."""
    return cache(lambda scenario: _report(scenario, tmp_path_factory.mktemp(scenario)))
