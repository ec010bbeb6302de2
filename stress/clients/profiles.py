"""Clients as data: `profiles/clients/*.toml` and the user's own files, read into `Client`s."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_type_hints

from stress.errors import UsageError
from stress.handshake import names
from stress.host.shipped import profiles_folder, shipped
from stress.model.client import Client
from stress.text.suggestions import did_you_mean, nearest, printable
from stress.text.tomlfile import TomlFile
from stress.text.units import named, share

# The numbers behind the words of a client's file: IANA names or hexadecimal.

_HEX = re.compile(r"0[xX][0-9a-fA-F]{1,4}")


def code_point(field: str, word: str) -> int:
    """Read one code point such as `TLS_AES_128_GCM_SHA256` or `0x1301`.

    Args:
        field: the field of `Client` that it stands in.
        word: as written in the file.

    Raises:
        UsageError: it is no code point; the hint has the nearest name.
    """
    plain = word.strip()
    number = int(plain, 16) if _HEX.fullmatch(plain) else names.code_point(field, plain)
    if number is None:
        raise _codepoints_unknown(field, word)
    return number


def _codepoints_unknown(field: str, word: str) -> UsageError:
    known = names.known_names(field)
    guess = nearest(word, known) or nearest(word.lower(), known)
    meant = f'Did you mean "{guess}"? ' if guess else ""
    return UsageError(
        f'"{printable(word)}" is not known among the {field.replace("_", " ")}',
        f"{meant}Write the IANA name, such as {known[0]}, or hexadecimal, such as 0x1301.",
    )


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


# Writes a client profile as the TOML file that `read_client` reads.

_WIDTH = 98
_DEFAULTS = Client("")
_NAMES: dict[str, Callable[[int], str]] = {
    "versions": names.version_name,
    "cipher_suites": names.cipher_name,
    "groups": names.group_name,
    "key_shares": names.group_name,
    "signature_algorithms": names.signature_name,
    "extensions": names.extension_name,
}


def client_toml(client: Client, comment: str) -> str:
    """Return the file's text.

    Args:
        client: what it says; fields that are as by default are left out.
        comment: where the facts come from; lines as they are, wrapped where they are long.
    """
    lines = [*_comment(comment), ""]
    for entry in fields(Client):
        value = getattr(client, entry.name)
        if value != getattr(_DEFAULTS, entry.name) or entry.name in {"name", "policy"}:
            lines += _assignment(entry.name, value)
    return "\n".join(lines) + "\n"


def _comment(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield from textwrap.wrap(f"# {line}", _WIDTH, subsequent_indent="# ") or ["#"]


def _assignment(field: str, value: object) -> list[str]:
    key = field.replace("_", "-")
    if not isinstance(value, tuple):
        return [f"{key} = {_literal(value)}"]
    items = [_literal(each) for each in _named(field, value)]
    short = f"{key} = [{', '.join(items)}]"
    return [short] if len(short) <= _WIDTH else [f"{key} = [", *(f"  {i}," for i in items), "]"]


def _named(field: str, values: Sequence[object]) -> Iterator[object]:
    """Code points by name where the name is read back as the same number."""
    for value in values:
        if isinstance(value, int):
            name = _NAMES[field](value)
            known = names.code_point(field, name) == value
            yield name if known else f"0x{value:04x}"
        else:
            yield value


def _literal(value: object) -> str:
    """A TOML value: of texts only what is printable ASCII, which is JSON's form as well."""
    if isinstance(value, str):
        return json.dumps(value if value.isascii() and value.isprintable() else printable(value))
    return json.dumps(value)
