"""Load profiles: TOML files that hold options of `run`, and how they meet the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, time
from functools import cache
from pathlib import Path
from types import MappingProxyType

from stress.errors import UsageError
from stress.host.shipped import profiles_folder, shipped
from stress.planning.load_shapes import stretch_words
from stress.planning.request import Request
from stress.planning.settings import SETTINGS, Setting, Shape
from stress.planning.targets import host_name, literal
from stress.text.suggestions import did_you_mean, printable
from stress.text.tomlfile import TomlFile
from stress.text.units import named, written

_TITLE = "title"
_AUTHORIZED = "authorized"
_CONSENT_OPTION = "i-am-authorized"
_KEYS = frozenset(SETTINGS) | {_TITLE, _AUTHORIZED}

_NOTHING = Request()
_TOGETHER = (
    frozenset({"count", "duration", "detect", "find_limit", "segments"}),
    frozenset({"addresses_inline", "addresses_file"}),
    frozenset({"cert", "key"}),
)
"""Fields that answer one question together: the command line answers it alone or not at all."""


@dataclass(frozen=True, slots=True)
class LoadProfile:
    """A named set of options."""

    name: str
    title: str
    """One line for people: what it is for."""
    file: Path
    options: Request
    """What it sets; everything else is None or empty."""
    authorized: tuple[str, ...] = ()
    """Exact hosts for which somebody consented to any load."""


@cache
def profiles() -> Mapping[str, LoadProfile]:
    """Return the shipped load profiles by name.

    Raises:
        UsageError: a shipped file is damaged.
    """
    files = shipped(profiles_folder())
    return MappingProxyType({name: read_profile(path) for name, path in files.items()})


def load_profile(name_or_path: str) -> LoadProfile:
    """Return a shipped profile by name, or the user's own by the path of its file.

    Raises:
        UsageError: there is no such profile (with the nearest), or its file is bad.
    """
    path = shipped(profiles_folder()).get(name_or_path)
    if path is None and (own := Path(name_or_path)).suffix == ".toml":
        path = own
    if path is None:
        raise _unknown(name_or_path)
    return read_profile(path)


def read_profile(path: Path) -> LoadProfile:
    """Read one profile's file.

    Raises:
        UsageError: it is missing or no TOML, or a key or value is wrong (with file and line).
    """
    file = TomlFile.read(path)
    if _CONSENT_OPTION in file.table:
        raise file.fault(
            _CONSENT_OPTION, "consent is given by name", 'Write: authorized = ["edge.example.com"]'
        )
    file.check_keys(_KEYS)
    values = {
        setting.field: _value(file, key, setting)
        for key, setting in SETTINGS.items()
        if key in file.table
    }
    title = file.value(_TITLE, str) if _TITLE in file.table else ""
    options = Request(**values)  # type: ignore[arg-type]  # SETTINGS says which field is what
    return LoadProfile(path.stem, title, path, options, _authorized(file))


def filled(request: Request) -> tuple[Request, LoadProfile | None]:
    """Return the request with what its profile sets; the command line wins.

    Questions that several options answer together (how long, which addresses, which certificate)
    are answered by the command line alone as soon as it gives one of them.

    Raises:
        UsageError: there is no such profile, or it is bad.
    """
    if request.profile is None:
        return request, None
    profile = named("--profile", load_profile, request.profile)
    given = {entry.name for entry in fields(Request) if _is_given(request, entry.name)}
    for group in _TOGETHER:
        given |= group if group & given else frozenset()
    added = {
        entry.name: getattr(profile.options, entry.name)
        for entry in fields(Request)
        if entry.name not in given and _is_given(profile.options, entry.name)
    }
    return replace(request, **added), profile


def consents(request: Request, profile: LoadProfile | None, host: str) -> tuple[str, ...]:
    """Return in words how the user consented to a load on a host; empty: not at all."""
    said = ["--i-am-authorized"] if request.authorized else []
    if profile is not None and host in profile.authorized:
        said.append(f'authorized = ["{host}"] in {profile.file}')
    return tuple(said)


def _is_given(request: Request, field: str) -> bool:
    """Whether it says something else than nothing: a seed of 0 does, and so does a plain no."""
    return bool(getattr(request, field) != getattr(_NOTHING, field))


def _value(file: TomlFile, key: str, setting: Setting) -> str | bool | tuple[str, ...]:
    if setting.shape is Shape.SWITCH:
        return file.value(key, bool)
    words = _words(file, key, setting.shape)
    for word in words:
        try:
            setting.check(word)
        except UsageError as error:
            raise file.fault(key, error.message, error.hint) from None
    if setting.shape is Shape.FILE:
        return words[0] if words[0] == "-" else str(file.path.parent / words[0])
    return words if setting.shape in {Shape.LIST, Shape.STRETCHES} else words[0]


def _words(file: TomlFile, key: str, shape: Shape) -> tuple[str, ...]:
    value = file.table[key]
    if shape is Shape.STRETCHES:
        return _stretches(file, key)
    if shape is Shape.LIST:
        return (value,) if isinstance(value, str) else file.value(key, tuple[str, ...])
    if isinstance(value, bool | list | dict | time):
        raise file.fault(key, "expected text or a number")
    if isinstance(value, date | datetime):
        return (value.isoformat(),)
    return (written(value),)


def _stretches(file: TomlFile, key: str) -> tuple[str, ...]:
    tables = file.value(key, tuple[dict[str, object], ...])
    try:
        return tuple(stretch_words(table) for table in tables)
    except UsageError as error:
        raise file.fault(key, error.message, error.hint) from None


def _authorized(file: TomlFile) -> tuple[str, ...]:
    if _AUTHORIZED not in file.table:
        return ()
    names = file.value(_AUTHORIZED, tuple[str, ...])
    try:
        return tuple(literal(name) or host_name(name) for name in names)
    except UsageError as error:
        raise file.fault(_AUTHORIZED, error.message, "Write exact host names.") from None


def _unknown(word: str) -> UsageError:
    if word in shipped(profiles_folder() / "clients"):
        return UsageError(
            f'"{word}" is a client, not a load profile', f"Give it as --client {word}"
        )
    hint = did_you_mean(word, shipped(profiles_folder()))
    return UsageError(
        f'there is no load profile "{printable(word)}"', f"{hint}\nA file's name ends in .toml."
    )
