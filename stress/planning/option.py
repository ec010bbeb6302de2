"""How an option is declared: the one description behind command line, profile key and manual."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from functools import partial
from importlib import import_module
from typing import Any

from stress.errors import UsageError
from stress.text import units
from stress.text.escape import chosen


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


class Section(StrEnum):
    """A heading in `--help`; each declares its options, as fields of `Request`."""

    LOAD = "Load"
    CONNECTION = "TLS and addresses"
    TRUST = "Certificate validation"
    STOP = "Goals and stop conditions"
    CONSENT = "Authorization"
    OUTPUT = "Output"
    PROFILE_ONLY = ""
    """What only a load profile can set."""

    def option(self, about: str, metavar: str | None = None, **more: Any) -> Any:
        """Declare an option with a value.

        Args:
            about: what it does, for the manual.
            metavar: what its value is called there.
            more: further fields of `Option`; `default`, where that is not None.
        """
        default = more.pop("default", None)
        return field(default=default, metadata={"option": Option(self, about, metavar, **more)})

    def timespan(self, about: str, **more: Any) -> Any:
        """Declare an option that takes a length of time, above zero if `read` says no other."""
        return self.option(about, "TIME", **{"read": units.positive_duration_s} | more)

    def path(self, about: str, metavar: str = "FILE", **more: Any) -> Any:
        """Declare an option that takes the path of a file or folder."""
        return self.option(about, metavar, value=ValueType.FILE, **more)

    def switch(self, about: str, **more: Any) -> Any:
        """Declare an option without a value."""
        return self.option(about, value=ValueType.SWITCH, **{"default": False} | more)

    def repeated(self, about: str, metavar: str | None = None, **more: Any) -> Any:
        """Declare an option that may be given several times."""
        more = {"metavar": metavar, "value": ValueType.LIST, "default": ()} | more
        return self.option(about, **more)


def not_empty(text: str) -> str:
    """Return a value whose form is checked where it is used.

    Raises:
        UsageError: it is empty.
    """
    if not text.strip():
        raise UsageError("the value is empty", "Give a value or remove the key.")
    return text


@dataclass(frozen=True, slots=True)
class Option:
    """How one field of `Request` is given and read."""

    section: Section
    help: str
    metavar: str | None = None
    short: str | None = None
    """Such as `-n`."""
    name: str = ""
    """Long name and profile key, without dashes; `options` fills it in where it is the field's."""
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
        return self.name if self.section is Section.PROFILE_ONLY else f"--{self.name}"


def later(reader: str) -> Callable[[str], object]:
    """Return a reader (`planning.load.segment`) that is imported when it is first used."""

    def read(text: str) -> object:
        module, _, name = reader.rpartition(".")
        function: Callable[[str], object] = getattr(import_module(f"stress.{module}"), name)
        return function(text)

    return read


def choice(kind: type[StrEnum]) -> dict[str, Any]:
    """Return the arguments of an `Option` that takes one of a few words."""
    return {"metavar": "|".join(kind), "choices": kind, "read": partial(chosen, kind)}
