"""A TOML file of ours, read so that every complaint names the file, the line and the key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec

import stress
from stress.errors import StressError, UsageError
from stress.text.escape import UNREADABLE, did_you_mean, quoted

Kind = TypeVar("Kind")
Raw = TypeVar("Raw")

_MOST_BYTES = 1_000_000
_DEEP_KEY = re.compile(
    r"""(?<![\w.-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){40}""", re.ASCII
)
"""A dotted key of more than 40 parts, for which `tomllib` takes quadratic time."""


@dataclass(frozen=True, slots=True)
class TomlFile:
    """A parsed TOML file. Keys are as written, in kebab-case."""

    path: Path
    table: dict[str, Any]
    """A foreign shape until `value` has converted it."""
    text: str = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> TomlFile:
        """Read and parse a file.

        Raises:
            UsageError: it cannot be read, is too large, not UTF-8 or not valid TOML (with the
                line).
        """
        try:
            if path.is_fifo() or path.is_char_device() or path.is_block_device():
                raise UsageError(f"{path}: is not a regular file")
            with path.open("rb") as file:
                raw = file.read(_MOST_BYTES + 1)
            if len(raw) > _MOST_BYTES:
                raise UsageError(f"{path}: is larger than {_MOST_BYTES:,} bytes")
            text = raw.decode()
            if _DEEP_KEY.search(text):
                raise UsageError(f"{path}: keys are nested too deeply")
            return cls(path, tomllib.loads(text), text)
        except OSError as error:
            raise UsageError(f"{path}: cannot be read: {error.strerror}", UNREADABLE) from None
        except UnicodeDecodeError as error:
            raise UsageError(f"{path}: is not text (byte {error.start} is not UTF-8)") from None
        except RecursionError:
            raise UsageError(f"{path}: values are nested too deeply") from None
        except ValueError as error:  # TOMLDecodeError, or an int of more digits than Python reads
            reason = str(error)
            at = re.search(r"\(at line (\d+), column \d+\)", reason)
            line = f", line {at[1]}" if at else ""
            raise UsageError(f"{path}{line}: is not valid TOML: {quoted(reason)}") from None

    def check_keys(self, known: AbstractSet[str]) -> None:
        """Refuse a key that nobody would read.

        Raises:
            UsageError: there is one; the hint has the nearest known key.
        """
        for key in self.table:
            if key not in known:
                raise self.fault(key, "unknown key", did_you_mean(key, known))

    def value(self, key: str, kind: type[Kind]) -> Kind:
        """Return the value of a key that is there, as the type it must have.

        Raises:
            UsageError: it has another type.
        """
        try:
            return msgspec.convert(self.table[key], type=kind)
        except msgspec.ValidationError as error:
            raise self.fault(key, quoted(error).replace("`", "")) from None

    def parsed(self, key: str, read: Callable[[Raw], Kind], raw: Raw) -> Kind:
        """Return what a reader makes of (a part of) a key's value.

        Raises:
            UsageError: the reader refuses it; the message names file, line and key.
        """
        try:
            return read(raw)
        except UsageError as error:
            raise self.fault(key, error.message, error.hint) from None

    def fault(self, key: str, message: str, hint: str | None = None) -> UsageError:
        """Return the error that tells which key, on which line, is wrong."""
        return UsageError(f"{self.path}, line {self.line(key)}: {quoted(key)}: {message}", hint)

    def line(self, key: str) -> int:
        """Return the number of the line on which a top-level key stands (1 when not found)."""
        name = re.escape(key)
        key_there = re.compile(rf"""\s*(?:\[\[?\s*)?["']?{name}["']?\s*(?:[=.\]]|$)""")
        for number, line in enumerate(self.text.splitlines(), 1):
            if key_there.match(line):
                return number
        return 1


# Where the shipped data files are: beside the package in a checkout, inside it when installed.


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
