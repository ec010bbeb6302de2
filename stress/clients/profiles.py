"""Client profiles: `profiles/clients/*.toml` and the user's own files, read into `Client`s."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, get_type_hints

from stress.codes import names
from stress.errors import UsageError
from stress.handshake.hello import ClientHello, is_grease
from stress.model.plan import Client
from stress.text.escape import did_you_mean, escape, nearest, quoted
from stress.text.tomlfile import TomlFile, profiles_folder, shipped
from stress.text.units import named, share

DEFAULT = "generic"
SCHEMA = "https://github.com/tls-stress/tls-stress/raw/main/docs/reference/client.schema.json"
"""By which editors check a profile while it is written; named in its first line (Taplo)."""
_HEX = re.compile(r"0[xX][0-9a-fA-F]{1,4}")
_HEAVIEST = 1e6
_WIDTH = 98
_DEFAULTS = Client("")
_KEYS: Mapping[str, str] = {entry.name.replace("_", "-"): entry.name for entry in fields(Client)}
NAMES: Mapping[str, Callable[[int], str]] = {
    "versions": names.version_name,
    "cipher_suites": names.cipher_name,
    "groups": names.group_name,
    "key_shares": names.group_name,
    "signature_algorithms": names.signature_name,
    "extensions": names.extension_name,
}
"""The fields that hold code points, and what names those; a ClientHello has them, too."""


@cache
def clients() -> Mapping[str, Client]:
    """Return the shipped clients by name.

    Raises:
        UsageError: a shipped file is damaged.
    """
    folder = profiles_folder() / "clients"
    return {name: read_client(path) for name, path in shipped(folder).items()}


def load_client(name_or_path: str) -> Client:
    """Return a shipped client by name, or the user's own by the path of its file.

    Raises:
        UsageError: there is no such client (with the nearest), or its file is bad.
    """
    known = shipped(profiles_folder() / "clients")
    own = Path(name_or_path)
    if name_or_path in known or own.suffix == ".toml":
        return read_client(known.get(name_or_path, own))
    shown = quoted(name_or_path)
    if name_or_path in shipped(profiles_folder()):
        raise UsageError(
            f'"{shown}" is a load profile, not a client profile', f"Use --profile {name_or_path}"
        )
    raise UsageError(f'there is no client "{shown}"', did_you_mean(name_or_path, known))


def client_mix(words: Sequence[str]) -> tuple[Client, ...]:
    """Read every `NAME[=WEIGHT]`; none at all is the default client.

    Raises:
        UsageError: a client is unknown or given twice, or a weight is not valid.
    """
    mix: dict[str, Client] = {}
    for name, weight in (named("--client", name_and_weight, word) for word in words or (DEFAULT,)):
        client = named("--client", load_client, name)
        if client.name in mix:
            shown = quoted(client.name)
            raise UsageError(
                f'the client "{shown}" is given twice',
                f"Give it once, with its weight: --client {shown}=2",
            )
        mix[client.name] = client if weight is None else replace(client, weight=weight)
    return tuple(mix.values())


def name_and_weight(word: str) -> tuple[str, float | None]:
    """Read `NAME[=WEIGHT]`, the weight such as `3`, `0.5` or `70%`.

    Raises:
        UsageError: the weight is not a number above 0.
    """
    name, equals, text = word.strip().rpartition("=")
    if not equals:
        return text, None
    try:
        weight = share(text) if "%" in text else float(text)
    except ValueError:
        weight = 0.0
    if not 0 < weight <= _HEAVIEST:
        raise UsageError(
            f'"{quoted(text)}" is not a valid weight', "Write a number above 0, such as generic=3."
        )
    return name, weight


def code_point(field: str, word: str) -> int:
    """Read one code point such as `TLS_AES_128_GCM_SHA256` or `0x1301`.

    Args:
        field: the field of `Client` that it belongs to.
        word: as written in the file.

    Raises:
        UsageError: it is not a known code point; the hint has the nearest name.
    """
    plain = word.strip()
    number = int(plain, 16) if _HEX.fullmatch(plain) else names.code_point(field, plain)
    if number is None:
        known = names.known_names(field)
        guess = nearest(word, known) or nearest(word.lower(), known)
        meant = f'Did you mean "{guess}"? ' if guess else ""
        raise UsageError(
            f'"{quoted(word)}" is not among the known {field.replace("_", " ")}',
            f"{meant}Write the IANA name, such as {known[0]}, or hexadecimal, such as 0x1301.",
        )
    return number


def read_client(path: Path) -> Client:
    """Read one client's file; its keys are the fields of `Client` in kebab-case.

    Args:
        path: of the TOML file; the client's name is the file's unless the file says another.

    Raises:
        UsageError: it is missing or not valid TOML, or a key or value is wrong (with the line).
    """
    file = TomlFile.read(path)
    file.check_keys(_KEYS.keys())
    hints = get_type_hints(Client)
    values: dict[str, Any] = {"name": path.stem}
    for key in file.table:
        field = _KEYS[key]
        if field not in NAMES:
            values[field] = file.value(key, hints[field])
            continue
        read = partial(code_point, field)
        points = tuple(
            word if isinstance(word, int) else file.parsed(key, read, word)
            for word in file.value(key, tuple[int | str, ...])
        )
        for point in points:
            if not 0 <= point <= 0xFFFF:
                raise file.fault(key, f"{point} does not fit into two bytes")
        values[field] = points
    client = Client(**values)
    if not 0 < client.weight <= _HEAVIEST:
        raise file.fault("weight", f"{client.weight} is not a number above 0")
    if not client.versions:
        raise file.fault("versions", "no TLS version is offered")
    if any(not 1 <= len(name.encode()) <= 255 for name in client.alpn):
        raise file.fault("alpn", "the name of a protocol has 1 to 255 bytes (RFC 7301)")
    return client


def client_toml(client: Client, comment: str) -> str:
    """Write a client profile as the TOML that `read_client` reads.

    Args:
        client: what to write; fields at their default are left out.
        comment: where the facts come from; lines as they are, wrapped where they are long.
    """
    lines = [f"#:schema {SCHEMA}"]
    for line in comment.splitlines():
        lines += textwrap.wrap(f"# {line}", _WIDTH, subsequent_indent="# ") or ["#"]
    lines.append("")
    for field in _KEYS.values():
        value = getattr(client, field)
        if value == getattr(_DEFAULTS, field) and field not in {"name", "policy"}:
            continue
        key = field.replace("_", "-")
        if not isinstance(value, tuple):
            lines.append(f"{key} = {_literal(value)}")
            continue
        items = [_literal(each) for each in value]
        if field in NAMES:  # by name, where the name is read back as the same number
            named_points = ((point, NAMES[field](point)) for point in value)
            items = [
                _literal(name if names.code_point(field, name) == point else f"0x{point:04x}")
                for point, name in named_points
            ]
        short = f"{key} = [{', '.join(items)}]"
        long = [f"{key} = [", *(f"  {item}," for item in items), "]"]
        lines += [short] if len(short) <= _WIDTH else long
    return "\n".join(lines) + "\n"


def _literal(value: object) -> str:
    """Return a TOML value: of texts only printable ASCII, which JSON writes alike."""
    if isinstance(value, str):
        return json.dumps(value if value.isascii() and value.isprintable() else quoted(value))
    return json.dumps(value)


# A client profile as text: its fields, and the ClientHello that is really sent.

WIDTH = 100
LABEL = 24


def client_text(client: Client, hello: ClientHello, stack: str) -> str:
    """Return the fields of a profile, taken from the ClientHello that was made for it."""
    numbers = {field: getattr(hello, field) for field in NAMES}
    numbers["extensions"] = [each.number for each in hello.extensions]
    code_points = {
        field: ", ".join("GREASE" if is_grease(each) else NAMES[field](each) for each in listed)
        for field, listed in numbers.items()
    }
    extensions = code_points.pop("extensions")
    fields = {
        "client": f"{client.name}: {client.title}" if client.title else client.name,
        "policy": client.policy,
        "stack": stack,
        "JA3": hello.ja3_md5,
        "JA4": hello.ja4,
        **{field.replace("_", " "): text for field, text in code_points.items()},
        "ALPN": ", ".join(hello.alpn),
        "extensions": extensions,
        "server name": "sent" if client.server_name else "not sent",
        "cannot express": "; ".join(client.cannot_express),
    }
    lines: list[str] = []
    for label, value in fields.items():
        lines += textwrap.wrap(
            f"{label:<{LABEL}}{escape(value or '-', longest=4000)}",
            WIDTH,
            subsequent_indent=" " * LABEL,
            break_on_hyphens=False,
        )
    return "\n".join(lines) + "\n"
