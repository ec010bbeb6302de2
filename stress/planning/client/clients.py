"""Clients as data: `profiles/clients/*.toml` and the user's own files, read into `Client`s."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_type_hints

from stress.errors import UsageError
from stress.model.client import Client
from stress.planning.client.codepoints import code_point
from stress.planning.data import profiles_folder, shipped
from stress.planning.tomlfile import TomlFile
from stress.planning.units import named, share
from stress.planning.words import did_you_mean, printable

CodePoint = Callable[[str, str], int]
"""Reads a name in a field such as `cipher_suites`; raises `UsageError` for one it does not know."""

DEFAULT = "generic"
_NUMBERED = frozenset(
    {"versions", "cipher_suites", "groups", "key_shares", "signature_algorithms", "extensions"}
)
_KEYS: Mapping[str, str] = {entry.name.replace("_", "-"): entry.name for entry in fields(Client)}


@cache
def clients() -> Mapping[str, Client]:
    """Return the shipped clients by name.

    Raises:
        UsageError: a shipped file is damaged.
    """
    folder = profiles_folder() / "clients"
    return MappingProxyType({name: read_client(path) for name, path in shipped(folder).items()})


def load_client(name_or_path: str) -> Client:
    """Return a shipped client by name, or the user's own by the path of its file.

    Raises:
        UsageError: there is no such client (with the nearest), or its file is bad.
    """
    path = shipped(profiles_folder() / "clients").get(name_or_path)
    if path is None and (own := Path(name_or_path)).suffix == ".toml":
        path = own
    if path is None:
        raise _unknown(name_or_path)
    return read_client(path)


def read_client(path: Path, number: CodePoint = code_point) -> Client:
    """Read one client's file; its keys are the fields of `Client` in kebab-case.

    Args:
        path: of the TOML file; the client's name is the file's unless the file says another.
        number: reads the names of code points.

    Raises:
        UsageError: it is missing or no TOML, or a key or value is wrong (with file and line).
    """
    file = TomlFile.read(path)
    file.check_keys(frozenset(_KEYS))
    hints = get_type_hints(Client)
    values: dict[str, Any] = {"name": path.stem}
    for key in file.table:
        name = _KEYS[key]
        values[name] = (
            _numbers(file, key, number) if name in _NUMBERED else file.value(key, hints[name])
        )
    return _checked(file, Client(**values))


def asked_clients(words: Sequence[str]) -> tuple[Client, ...]:
    """Read every `NAME[=WEIGHT]`; none at all is the default client.

    Raises:
        UsageError: a client is unknown or named twice, or a weight is none.
    """
    asked = tuple(named("--client", _weighted, word) for word in words or (DEFAULT,))
    names = [client.name for client in asked]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                f'the client "{printable(name)}" is named twice',
                f"Give it once, with its weight: --client {printable(name)}=2",
            )
    return asked


def weight(text: str) -> float:
    """Read a weight such as `3`, `0.5` or `70%`.

    Raises:
        UsageError: it is no number above 0.
    """
    try:
        value = share(text) if "%" in text else float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1e6:
        raise UsageError(
            f'"{printable(text)}" is no weight', "Write a number above 0, such as generic=3."
        )
    return value


def _weighted(word: str) -> Client:
    name, equals, text = word.strip().rpartition("=")
    if not equals:
        return load_client(word.strip())
    return replace(load_client(name), weight=weight(text))


def _numbers(file: TomlFile, key: str, number: CodePoint) -> tuple[int, ...]:
    values = file.value(key, tuple[int | str, ...])
    found = []
    for value in values:
        try:
            point = value if isinstance(value, int) else number(_KEYS[key], value)
        except UsageError as error:
            raise file.fault(key, error.message, error.hint) from None
        if not 0 <= point <= 0xFFFF:
            raise file.fault(key, f"{point} is not two octets")
        found.append(point)
    return tuple(found)


def _checked(file: TomlFile, client: Client) -> Client:
    if not 0 < client.weight <= 1e6:
        raise file.fault("weight", f"{client.weight} is no number above 0")
    if not client.versions:
        raise file.fault("versions", "no TLS version is offered")
    if any(not 1 <= len(name.encode()) <= 255 for name in client.alpn):
        raise file.fault("alpn", "a protocol's name has 1 to 255 octets (RFC 7301)")
    return client


def _unknown(word: str) -> UsageError:
    names = shipped(profiles_folder() / "clients")
    if word in shipped(profiles_folder()):
        return UsageError(
            f'"{printable(word)}" is a load profile, not a client', f"Give it as --profile {word}"
        )
    return UsageError(f'there is no client "{printable(word)}"', did_you_mean(word, names))
