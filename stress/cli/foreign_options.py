"""Options of other tools: whoever types one from habit gets ours as a hint.

`foreign_options.toml` lists only options that tls-stress does not have, with the tools that have
them. Single-dash words such as `-connect` must be found before parsing, because they would parse as
`-c onnect`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from stress.errors import UsageError
from stress.planning.request import FORMS

_FILES = frozenset(f"--{name}" for name in FORMS)
_OPTIONS = {
    "report": frozenset({"--policy", "--json", "--quiet", "--results"}) | _FILES,
    "demo": frozenset({"--count", "--json", "--quiet", "--name", "--results"}) | _FILES,
}
"""Options in the hints that a command other than `run` has, too."""


@dataclass(frozen=True, slots=True)
class ForeignOption:
    """An option of other tools, and what to use here."""

    spellings: str
    """Separated by spaces."""
    tools: str
    hint: str


@cache
def foreign_options() -> dict[str, ForeignOption]:
    """All spellings, each with its option."""
    text = files("stress.cli").joinpath("foreign_options.toml").read_text("utf-8")
    known = [ForeignOption(**entry) for entry in tomllib.loads(text)["option"]]
    return {spelling: each for each in known for spelling in each.spellings.split()}


def refuse(words: Sequence[str]) -> None:
    """Looks for an option of another tool in a command line.

    Raises:
        UsageError: there is one; the hint names ours, or that of `run` where the command has none.
    """
    for word in words:
        if word == "--":
            return
        spelling = word.partition("=")[0]
        foreign = foreign_options().get(spelling)
        if foreign is None:
            continue
        hint, command = foreign.hint, words[0]
        named = set(re.findall(r"--[a-z][a-z-]*", hint))
        if not named <= _OPTIONS.get(command, named):
            hint = f"tls-stress {command} has no such option. With tls-stress run: {hint}"
        raise UsageError(f"{spelling} is an option of {foreign.tools}, not of tls-stress", hint)
