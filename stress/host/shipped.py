"""Where the shipped data files are: beside the package in a checkout, inside it when installed."""

from __future__ import annotations

from pathlib import Path

import stress
from stress.errors import StressError


def profiles_folder() -> Path:
    """Return the folder of the shipped profiles; its subfolder `clients` holds the clients.

    An installed wheel carries it as `stress/profiles`; in a checkout it lies beside `stress`.

    Raises:
        StressError: neither is there; the installation is incomplete.
    """
    package = Path(stress.__file__).resolve().parent
    for folder in (package / "profiles", package.parent / "profiles"):
        if (folder / "clients").is_dir():
            return folder
    raise StressError(
        f"the shipped profiles are neither in {package} nor beside it",
        "Install tls-stress again; the wheel carries them.",
    )


def shipped(folder: Path) -> dict[str, Path]:
    """Return the TOML files of a folder by name, sorted."""
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}
