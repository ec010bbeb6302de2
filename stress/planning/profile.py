"""Load profiles: TOML files that set options of `run`, and how they merge with the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, time
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from stress.errors import UsageError
from stress.planning.load import segment_text
from stress.planning.option import Option, ValueType
from stress.planning.request import Request, options
from stress.planning.targets import host_name, literal
from stress.text.escape import did_you_mean, quoted
from stress.text.tomlfile import TomlFile, profiles_folder, shipped
from stress.text.units import named, written

_TITLE, _AUTHORIZED = "title", "authorized"
NOT_OPTIONS = {
    _TITLE: "One line for people: what the profile is for.",
    _AUTHORIZED: "Hosts whose owners agree to any load, by their exact names.",
}
"""Keys that are no options, and what they mean."""
_CONSENT_OPTION = "i-am-authorized"


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
    """Exact hosts whose owners agreed to any load."""


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
    known = shipped(profiles_folder())
    own = Path(name_or_path)
    if name_or_path in known or own.suffix == ".toml":
        return read_profile(known.get(name_or_path, own))
    if name_or_path in shipped(profiles_folder() / "clients"):
        raise UsageError(
            f'"{name_or_path}" is a client profile, not a load profile',
            f"Use --client {name_or_path}",
        )
    raise UsageError(
        f'there is no load profile "{quoted(name_or_path)}"',
        f"{did_you_mean(name_or_path, known)}\nThe name of a profile's file ends in .toml.",
    )


def read_profile(path: Path) -> LoadProfile:
    """Read one profile's file.

    Raises:
        UsageError: it is missing or not valid TOML, or a key or value is wrong (with the line).
    """
    file = TomlFile.read(path)
    if _CONSENT_OPTION in file.table:
        raise file.fault(
            _CONSENT_OPTION,
            "authorization is given by host name",
            'Write: authorized = ["edge.example.com"]',
        )
    keys = profile_keys()
    file.check_keys({*NOT_OPTIONS, *(option.name for option in keys.values())})
    values: dict[str, Any] = {
        field: _value(file, option) for field, option in keys.items() if option.name in file.table
    }
    title = file.value(_TITLE, str) if _TITLE in file.table else ""
    hosts = file.value(_AUTHORIZED, tuple[str, ...]) if _AUTHORIZED in file.table else ()
    authorized = tuple(
        file.parsed(_AUTHORIZED, lambda name: literal(name) or host_name(name), host)
        for host in hosts
    )
    return LoadProfile(path.stem, title, path, Request(**values), authorized)


def profile_keys() -> Mapping[str, Option]:
    """Return the options that a profile can set, by field."""
    return {field: option for field, option in options().items() if option.profile_key}


def filled(request: Request) -> tuple[Request, LoadProfile | None]:
    """Return the request with what its profile sets; the command line wins.

    Of options that answer one question together (how long, which addresses, which certificate) the
    profile's are ignored as soon as the command line gives one of them.

    Raises:
        UsageError: there is no such profile, or it is bad.
    """
    if request.profile is None:
        return request, None
    profile = named("--profile", load_profile, request.profile)
    declared = options()
    given = request.given()
    answered = {declared[field].together for field in given} - {""}
    added = {
        field: getattr(profile.options, field)
        for field in profile.options.given() - given
        if declared[field].together not in answered
    }
    return replace(request, **added), profile


def consents(request: Request, profile: LoadProfile | None, host: str) -> tuple[str, ...]:
    """Return how the user consented to a load on a host, as text; empty: not at all."""
    consent = ["--i-am-authorized"] if request.authorized else []
    if profile is not None and host in profile.authorized:
        consent.append(f'authorized = ["{host}"] in {profile.file}')
    return tuple(consent)


def _value(file: TomlFile, option: Option) -> str | bool | tuple[str, ...]:
    """Return the value of a key that is there, checked as its option is."""
    key, given = option.name, file.table[option.name]
    if option.value is ValueType.SWITCH:
        return file.value(key, bool)
    if option.value is ValueType.TABLES:
        tables = file.value(key, tuple[dict[str, object], ...])
        texts = tuple(file.parsed(key, segment_text, table) for table in tables)
    elif option.value is ValueType.LIST:
        texts = (given,) if isinstance(given, str) else file.value(key, tuple[str, ...])
    elif isinstance(given, bool | list | dict | time):
        raise file.fault(key, "expected text or a number")
    else:
        texts = (given.isoformat() if isinstance(given, date) else written(given),)
    for text in texts:
        file.parsed(key, option.read, text)
    if option.value in {ValueType.LIST, ValueType.TABLES}:
        return texts
    is_path = option.value is ValueType.FILE and texts[0] != "-"
    return str(file.path.parent / texts[0]) if is_path else texts[0]


def schema() -> dict[str, Any]:
    """Return the JSON Schema of load profiles, for editors that check TOML while it is written."""
    text: dict[str, Any] = {"type": "string"}
    amount: dict[str, Any] = {"type": ["string", "number"]}
    segment = {"rate": amount, "to": amount, "duration": amount}
    types: Mapping[ValueType, dict[str, Any]] = {
        ValueType.TEXT: amount,
        ValueType.SWITCH: {"type": "boolean"},
        ValueType.FILE: text,
        ValueType.TABLES: {
            "type": "array",
            "items": {
                "type": "object",
                "properties": segment,
                "required": ["rate", "duration"],
                "additionalProperties": False,
            },
        },
    }
    properties: dict[str, Any] = {_TITLE: text | {"description": NOT_OPTIONS[_TITLE]}}
    for option in profile_keys().values():
        one = {"enum": [*option.choices]} if option.choices else text
        many = {"anyOf": [one, {"type": "array", "items": one}]}
        single = one if option.choices else types.get(option.value, text)
        kind = many if option.value is ValueType.LIST else single
        properties[option.name] = kind | {"description": option.help}
    hosts = {"type": "array", "items": text, "description": NOT_OPTIONS[_AUTHORIZED]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Load profile of tls-stress",
        "type": "object",
        "properties": properties | {_AUTHORIZED: hosts},
        "additionalProperties": False,
    }
