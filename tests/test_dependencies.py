"""What we depend on is pinned with hashes, and looked at for known vulnerabilities."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

LOCKS = ("requirements.lock", "requirements-dev.lock")


def locked(repository: Path, lock: str) -> dict[str, str]:
    """Versions by name; every line must be a pin."""
    text = (repository / lock).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    pins = [
        re.fullmatch(r"([a-z0-9-]+)==([\w.]+)( ;[^-]+)?((?: +--hash=\S+)+) *", x) for x in lines
    ]
    assert [line for line, pin in zip(lines, pins, strict=True) if pin is None] == []
    return {pin[1]: pin[2] for pin in pins if pin is not None}


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_is_pinned_with_hashes_within_what_the_project_allows(
    repository: Path, lock: str
) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())
    wanted = project["project"]["dependencies"]
    if lock == "requirements-dev.lock":
        wanted = [*wanted, *project["dependency-groups"]["dev"]]
    pins = locked(repository, lock)

    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(pins[requirement.name.lower()]), requirement


def test_what_is_tested_is_what_is_shipped(repository: Path) -> None:
    shipped, tested = (locked(repository, lock) for lock in LOCKS)

    assert shipped.items() <= tested.items()


def test_vulnerabilities_are_looked_for_every_week(repository: Path) -> None:
    workflow = (repository / ".github/workflows/audit.yml").read_text()
    makefile = (repository / "Makefile").read_text()

    assert re.search(r'^ +- cron: "\d+ \d+ \* \* \d"$', workflow, re.MULTILINE)
    assert re.search(r"^ +- run: make audit$", workflow, re.MULTILINE)
    assert re.search(
        r"^audit:.*\n(\t.*\n)*\t.*pip-audit --strict .*requirements.lock$", makefile, re.MULTILINE
    )
