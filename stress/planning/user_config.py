"""What a user sets once: the variables `TLS_STRESS_*` and `config.toml`, and consent for own hosts.

`$XDG_CONFIG_HOME/tls-stress/config.toml` (`~/.config/tls-stress/config.toml`) has the same settings
as the variables, and a variable wins. Both are the user's own: neither is ever read from the
working folder, and no run file or profile can name them (SECURITY.md).

Subtle: every command imports this module, so TOML is read only where the file exists.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType

from stress.errors import UsageError

RESULTS_VARIABLE = "TLS_STRESS_RESULTS"
PROFILE_VARIABLE = "TLS_STRESS_PROFILE"
NO_COLOR_VARIABLE = "TLS_STRESS_NO_COLOR"
AUTHORIZED_VARIABLE = "TLS_STRESS_AUTHORIZED"
SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "results": "Directory of the run files, for every command that reads or writes runs.",
        "profile": "Load profile of `run` where `--profile` is not given.",
        "no-color": "No colours, whatever the terminal can show.",
        "authorized": "Hosts whose owners agree to any load, by their exact names.",
    }
)
"""The keys of `config.toml`, and what they mean."""
_MOST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class UserConfig:
    """The settings that hold for every command line of this user."""

    results: str | None = None
    profile: str | None = None
    """A name, or the path of a file."""
    no_color: bool = False
    authorized: Mapping[str, str] = field(default_factory=dict)
    """Host, by its exact name, to where the user agreed to load it."""

    def defaults(self) -> dict[str, str]:
        """The options that are set, by their names."""
        given = {"results": self.results, "profile": self.profile}
        return {name: value for name, value in given.items() if value is not None}


def config_folder() -> Path:
    """Return the folder of the user's own profiles (XDG Base Directory Specification)."""
    given = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".config") / "tls-stress"


def config_file() -> Path:
    """Return the path of the user's own settings; it need not exist."""
    return config_folder() / "config.toml"


def user_config() -> UserConfig:
    """Return what the user set once, in the file and in the environment.

    Raises:
        UsageError: the file has an unknown key or a wrong value (with the line), or the file of
            authorized hosts cannot be read.
    """
    file = config_file()
    own = _read_file(file) if file.is_file() else UserConfig()
    listed = os.environ.get(AUTHORIZED_VARIABLE)
    return UserConfig(
        os.environ.get(RESULTS_VARIABLE) or own.results,
        os.environ.get(PROFILE_VARIABLE) or own.profile,
        bool(os.environ.get(NO_COLOR_VARIABLE)) or own.no_color,
        {**own.authorized, **(_read_hosts(Path(listed)) if listed else {})},
    )


@cache
def _read_file(path: Path) -> UserConfig:
    """Read `config.toml`; a path in it is relative to its folder."""
    from stress.text.tomlfile import TomlFile  # noqa: PLC0415 - only where there is such a file

    file = TomlFile.read(path)
    file.check_keys(SETTINGS.keys())

    def text(key: str) -> str | None:
        return file.value(key, str) if key in file.table else None

    results, profile = text("results"), text("profile")
    if profile is not None and Path(profile).suffix == ".toml":
        profile = str(path.parent / Path(profile).expanduser())
    hosts = file.value("authorized", tuple[str, ...]) if "authorized" in file.table else ()
    return UserConfig(
        None if results is None else str(path.parent / Path(results).expanduser()),
        profile,
        "no-color" in file.table and file.value("no-color", bool),
        {
            file.parsed("authorized", _host, host): f'authorized = ["{host}"] in {path}'
            for host in hosts
        },
    )


def _read_hosts(path: Path) -> dict[str, str]:
    """Read a file of hosts, one a line; `#` begins a comment.

    Raises:
        UsageError: it cannot be read, or a line is no host.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
        if len(raw) > _MOST_BYTES:
            raise UsageError(f"{AUTHORIZED_VARIABLE}: {path} is larger than {_MOST_BYTES:,} bytes")
        lines = raw.decode().splitlines()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "is not text"
        raise UsageError(
            f"{AUTHORIZED_VARIABLE}: cannot read {path}: {reason}",
            "Name a file with one host a line, or unset the variable.",
        ) from None
    hosts = {}
    for number, line in enumerate(lines, 1):
        word = line.partition("#")[0].strip()
        if word:
            try:
                hosts[_host(word)] = f"{AUTHORIZED_VARIABLE}: {path}, line {number}"
            except UsageError as error:
                raise UsageError(f"{path}, line {number}: {error.message}", error.hint) from None
    return hosts


def _host(text: str) -> str:
    from stress.planning.targets import host_name, literal  # noqa: PLC0415 - seldom needed

    return literal(text) or host_name(text)
