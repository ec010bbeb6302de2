from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stress.text.tomlfile import profiles_folder, shipped

ROOT = Path(__file__).resolve().parents[2]

ASK = """
import sys
sys.path.insert(0, sys.argv[1])
from stress.text.tomlfile import profiles_folder
print(profiles_folder())
"""


def ask(folder: Path) -> subprocess.CompletedProcess[str]:
    """Asks a copy of the package where its profiles are."""
    return subprocess.run(
        [sys.executable, "-P", "-c", ASK, str(folder)], capture_output=True, text=True, check=False
    )


def copy_package(folder: Path) -> None:
    shutil.copytree(
        ROOT / "stress", folder / "stress", ignore=shutil.ignore_patterns("__pycache__")
    )


def test_in_a_checkout_the_profiles_lie_beside_the_package() -> None:
    assert profiles_folder() == ROOT / "profiles"


def test_files_are_known_by_their_names() -> None:
    names = shipped(profiles_folder())

    assert set(names) == {"smoke", "consistency", "capacity", "soak"}
    assert names["smoke"].name == "smoke.toml"


@pytest.mark.slow
def test_in_an_installed_wheel_the_profiles_lie_inside_the_package(tmp_path: Path) -> None:
    copy_package(tmp_path)
    shutil.copytree(ROOT / "profiles", tmp_path / "stress" / "profiles")

    assert ask(tmp_path).stdout.strip() == str((tmp_path / "stress" / "profiles").resolve())


@pytest.mark.slow
def test_an_installation_without_profiles_says_so(tmp_path: Path) -> None:
    copy_package(tmp_path)

    assert "the shipped profiles are neither in" in ask(tmp_path).stderr
