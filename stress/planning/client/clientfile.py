"""Writes a client profile as the TOML file that `read_client` reads."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields

from stress.handshake import names
from stress.model.client import Client
from stress.planning.words import printable

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
