"""Load profiles: TOML files that set options of `run`, and how they merge with the command line.

A profile may come from a stranger, unless we ship it or it lies in `$XDG_CONFIG_HOME/tls-stress`.
A stranger's names files below its own folder alone, replaces none that we did not write, serves
metrics on loopback alone, chooses no resolver and no proxy, and consents to nothing. It may name
addresses, but no consent covers those: they get the load that needs none
(`stress.planning.consent`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, time
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from typing import Any

from stress.errors import UsageError
from stress.planning.load import segment_text
from stress.planning.option import Option, Section, ValueType
from stress.planning.request import Request, options
from stress.planning.targets import host_name, literal
from stress.planning.user_config import config_folder
from stress.text.escape import did_you_mean, quoted
from stress.text.tomlfile import TomlFile, profiles_folder, shipped
from stress.text.units import named, written

_TITLE, _AUTHORIZED = "title", "authorized"
NOT_OPTIONS = {
    _TITLE: "One line for people: what the profile is for.",
    _AUTHORIZED: "Hosts whose owners agree to any load, by their exact names. Counts only in a"
    " profile in `$XDG_CONFIG_HOME/tls-stress` (`~/.config/tls-stress`).",
}
"""Keys that are no options, and what they mean."""
_CONSENT_OPTION = "i-am-authorized"
_MOST_VALUES = 1_000
"""Of one key."""
_LARGEST = 10**18
_MOST_INPUT_BYTES = 10_000_000
_OURS = {
    "html": rb"<!doctype html>\s.{,4000}?<title>[^<]* tls-stress</title>",
    "junit": rb"<\?xml [^>]*>\s*<testsuites>\s*<testsuite name=\"tls-stress ",
    "openmetrics": rb"# (?:HELP|TYPE|UNIT) tls_stress_",
    "markdown": "## (?:✅|❌|⚠️) (?:clean|failing|inconclusive|invalid|interrupted): ".encode(),
}
"""How a report that we wrote begins, by the option that names its file."""


_OWN_ALONE = {
    "proxy": "whoever carries the load sees all of it",
    "proxy-authorization": "whoever carries the load sees all of it",
    "resolver": "whoever answers decides where we connect",
    "vantage": "what it names is executed",
}
"""Options that no stranger's profile sets, and why."""


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

    @property
    def trusted(self) -> bool:
        """Whether it is ours or the user's own, and no stranger's."""
        place = Path(os.path.realpath(self.file))
        folders = (profiles_folder(), config_folder())
        return any(place.is_relative_to(os.path.realpath(folder)) for folder in folders)


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
        UsageError: there is no such profile, it is bad, or it names what a stranger's may not.
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
    if not profile.trusted:
        for field, value in added.items():
            _check_stranger(profile, declared[field], value)
    return replace(request, **added), profile


def _check_stranger(profile: LoadProfile, option: Option, value: Any) -> None:
    """Check what a profile that may be a stranger's names of this machine.

    Raises:
        UsageError: a file elsewhere, one that is not to be read or replaced, or a public port.
    """
    where = f"{profile.file}: {option.name}"
    hint = f"Give it on the command line, or keep the profile in {config_folder()}."
    if option.name == "metrics":
        host = value.rpartition(":")[0].strip("[]")
        ip = literal(host)
        if host and not (ip and ip_address(ip).is_loopback):
            raise UsageError(f"{where}: {quoted(value)} is not on loopback", hint)
    if option.name in _OWN_ALONE:
        raise UsageError(f"{where}: {_OWN_ALONE[option.name]}", hint)
    if option.value is not ValueType.FILE or value == "-":
        return
    shown = quoted(value)
    if "\0" in value:
        raise UsageError(f"{where}: {shown} is not a path")
    place = Path(os.path.realpath(value))
    if not place.is_relative_to(os.path.realpath(profile.file.parent)):
        raise UsageError(f"{where}: {shown} is outside of the profile's folder", hint)
    try:
        refusal = _refused(place, option)
    except OSError as error:
        refusal = error.strerror
    if refusal is not None:
        raise UsageError(f"{where}: {shown}: {refusal}", hint)


def _refused(place: Path, option: Option) -> str | None:
    """Return why a stranger's profile may not read or replace this file; None: it may."""
    folder = option.section is Section.OUTPUT and not option.form  # of the results, never replaced
    if folder or not place.exists():
        return None
    if not place.is_file():
        return "is not a regular file"
    if not option.form:
        small = place.stat().st_size <= _MOST_INPUT_BYTES
        return None if small else f"is larger than {_MOST_INPUT_BYTES:,} bytes"
    with place.open("rb") as file:
        ours = re.match(_OURS[option.name], file.read(8_192), re.DOTALL)
    return None if ours else "exists, and it is no report that we wrote"


def names_addresses(request: Request, profile: LoadProfile | None) -> bool:
    """Return whether a profile that may be a stranger's names the addresses, and nobody else."""
    fields = {"addresses_inline", "addresses_file"}
    if profile is None or profile.trusted or fields & request.given():
        return False
    return bool(fields & profile.options.given())


def consents(
    request: Request,
    profile: LoadProfile | None,
    host: str,
    standing: Mapping[str, str] = MappingProxyType({}),
) -> tuple[str, ...]:
    """Return how the user consented to a load on a host, as text; empty: not at all.

    Args:
        request: as typed.
        profile: that it names.
        host: the target.
        standing: hosts that the user agreed to once, and where; not for a target that a run file
            names, because its addresses come from there, too.
    """
    if names_addresses(request, profile):
        return ()
    consent = ["--i-am-authorized"] if request.authorized else []
    if profile is not None and profile.trusted and host in profile.authorized:
        consent.append(f'authorized = ["{host}"] in {profile.file}')
    if host in standing:
        consent.append(standing[host])
    return tuple(consent)


def ignored_consent(request: Request, profile: LoadProfile | None) -> tuple[str, ...]:
    """Return sentences about consent that does not count."""
    if profile is None or profile.trusted:
        return ()
    ignored = []
    if profile.authorized:
        ignored.append(f"authorized in {profile.file}, which is not in {config_folder()}")
    if request.authorized and names_addresses(request, profile):
        ignored.append(f"--i-am-authorized for addresses that only {profile.file} names")
    return tuple(f"ignored: {each}" for each in ignored)


def _value(file: TomlFile, option: Option) -> str | bool | tuple[str, ...]:
    """Return the value of a key that is there, checked as its option is."""
    key, given = option.name, file.table[option.name]
    if option.value is ValueType.SWITCH:
        return file.value(key, bool)
    if option.value is ValueType.TABLES:
        tables = file.value(key, tuple[dict[str, object], ...])[: _MOST_VALUES + 1]
        texts = tuple(file.parsed(key, segment_text, table) for table in tables)
    elif option.value is ValueType.LIST:
        texts = (given,) if isinstance(given, str) else file.value(key, tuple[str, ...])
    elif isinstance(given, bool | list | dict | time):
        raise file.fault(key, "expected text or a number")
    elif isinstance(given, int) and abs(given) > _LARGEST:
        raise file.fault(key, "the number is too large")
    else:
        texts = (given.isoformat() if isinstance(given, date) else written(given),)
    if len(texts) > _MOST_VALUES:
        raise file.fault(key, f"{len(texts):,} values; at most {_MOST_VALUES:,} are read")
    for text in texts:
        file.parsed(key, option.read, text)
    if option.value in {ValueType.LIST, ValueType.TABLES}:
        return texts
    is_path = option.value is ValueType.FILE and texts[0] != "-"
    return str(file.path.parent / texts[0]) if is_path else texts[0]
