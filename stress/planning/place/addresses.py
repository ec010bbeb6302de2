"""Addresses given by hand (`--address`, `--addresses`): they replace what the name resolves to."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from stress.errors import UsageError
from stress.model.target import Address
from stress.planning.place.hostname import literal
from stress.planning.place.targets import split_port
from stress.planning.words import UNREADABLE, printable

_MOST = 10_000
"""An address is a row in every table of the report; more than this is a mistake."""


def parse_address(text: str, port: int) -> Address:
    """Read `IP[:PORT][=LABEL]`.

    Args:
        text: as the user wrote it.
        port: the target's port, where the text has none.

    Raises:
        UsageError: it holds no IP address, no port, or no printable label.
    """
    place, equals, label = text.strip().partition("=")
    if equals and not label.strip():
        raise UsageError(f'"{printable(text)}" has an empty label', "Write 192.0.2.1:443=node-7.")
    return _address(place, label, port)


def read_addresses(file: str, port: int) -> tuple[Address, ...]:
    """Read a file of lines `ip[:port] [label]`; `#` begins a comment, `-` is standard input.

    Raises:
        UsageError: the file cannot be read or is empty, or a line is bad (with its number).
    """
    name = "standard input" if file == "-" else file
    return gathered(_lines(_text(file, name), name, port), name)


def gathered(addresses: Iterable[Address], name: str) -> tuple[Address, ...]:
    """Return the addresses without those given twice.

    Raises:
        UsageError: there is none, too many, or one address with two labels.
    """
    seen: dict[tuple[str, int], Address] = {}
    for address in addresses:
        first = seen.setdefault((address.ip, address.port), address)
        if first.label != address.label:
            raise UsageError(f"{name}: {address} has two labels: {first.label}, {address.label}")
    if not seen:
        raise UsageError(f"{name}: holds no address", "Write lines such as 192.0.2.1:443 node-7.")
    if len(seen) > _MOST:
        raise UsageError(f"{name}: {len(seen):,} addresses; at most {_MOST:,} are taken")
    return tuple(seen.values())


def _lines(text: str, name: str, port: int) -> Iterator[Address]:
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split(None, 1)
        if not words:
            continue
        try:
            yield _address(words[0], words[1] if len(words) > 1 else "", port)
        except UsageError as error:
            raise UsageError(f"{name}, line {number}: {error.message}", error.hint) from None


def _address(place: str, label: str, port: int) -> Address:
    host, own_port = split_port(place)
    ip = literal(host)
    if ip is None:
        raise UsageError(
            f'"{printable(host)}" is no IP address',
            "Give addresses here, such as 192.0.2.1:443; a name is the target.",
        )
    if not label.isprintable():
        raise UsageError(f'the label "{printable(label)}" cannot be printed')
    return Address(ip, own_port or port, label.strip() or None)


def _text(file: str, name: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror}", UNREADABLE) from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: is no text (octet {error.start} is not UTF-8)") from None
