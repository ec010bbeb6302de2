"""How an option is declared: the one description behind command line, profile key and manual."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from functools import partial
from importlib import import_module
from typing import Any

from stress.errors import UsageError
from stress.text import units
from stress.text.escape import chosen

PROFILE_ONLY = ""
"""The section of what only a load profile can set."""


class ValueType(Enum):
    """What an option's value is, on the command line and in TOML."""

    TEXT = auto()
    """Text; in TOML also a plain number or a date."""
    LIST = auto()
    """Repeatable; in TOML an array of texts, or one text."""
    TABLES = auto()
    """An array of tables, the segments of a load; only in TOML."""
    SWITCH = auto()
    """On or off; `None` as default makes it `--x/--no-x`."""
    FILE = auto()
    """A path; in TOML relative to the profile's folder."""
    ARGUMENTS = auto()
    """Positional arguments; only on the command line."""


def not_empty(text: str) -> str:
    """Return a value whose form is checked where it is used.

    Raises:
        UsageError: it is empty.
    """
    if not text.strip():
        raise UsageError("the value is empty", "Give a value or remove the key.")
    return text


def later(module: str, reader: str) -> Callable[[str], object]:
    """Return a reader that is imported when it is first used."""

    def read(text: str) -> object:
        function: Callable[[str], object] = getattr(import_module(f"stress.{module}"), reader)
        return function(text)

    return read


@dataclass(frozen=True, slots=True)
class Option:
    """How one field of `Request` is given and read."""

    section: str
    """Heading in `--help`."""
    metavar: str | None = None
    short: str | None = None
    """Such as `-n`."""
    name: str = ""
    """Long name and profile key, without dashes; `options` fills it in where it is the field's."""
    help: str = ""
    """Filled in by `options`: the text beside it in the annotation."""
    value: ValueType = ValueType.TEXT
    read: Callable[[str], object] = not_empty
    """Turns the text into the value; raises `UsageError` for one that is not valid."""
    choices: type[StrEnum] | None = None
    """The words that `read` accepts, if there are only a few."""
    profile_key: bool = True
    together: str = ""
    """The question that it answers together with other options: if the command line gives one of
    them, the profile's are ignored."""
    plan: str = ""
    """Where the value goes as it is: a field of `Plan`, or a part and its field (`load.hold_s`)."""
    form: str = ""
    """Of a form of the report: its class below `stress.report`, such as `markdown.MarkdownReport`;
    the value is the file that it is written to."""

    @property
    def shown(self) -> str:
        """Its name in messages."""
        return self.name if self.section == PROFILE_ONLY else f"--{self.name}"


def choice(kind: type[StrEnum]) -> dict[str, Any]:
    """Return the arguments of an `Option` that takes one of a few words."""
    return {"metavar": "|".join(kind), "choices": kind, "read": partial(chosen, kind)}


def path(section: str, metavar: str = "FILE", **more: Any) -> Option:
    """Return an option that takes the path of a file or folder."""
    return Option(section, metavar, value=ValueType.FILE, **more)


def switch(section: str, **more: Any) -> Option:
    """Return an option without a value."""
    return Option(section, value=ValueType.SWITCH, **more)


def repeated(section: str, metavar: str | None = None, **more: Any) -> Option:
    """Return an option that may be given several times."""
    return Option(section, value=ValueType.LIST, **{"metavar": metavar} | more)


def timespan(
    section: str,
    read: Callable[[str], object] = units.positive_duration_s,
    **more: Any,
) -> Option:
    """Return an option that takes a length of time."""
    return Option(section, "TIME", read=read, **more)
