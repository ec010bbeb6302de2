"""IANA code points of TLS and their names (`iana.toml`), for display and for client profiles."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Final

_NUMBERS: Final[Mapping[str, Mapping[str, int]]] = tomllib.loads(
    (files("stress.handshake") / "iana.toml").read_text("utf-8")
)
"""Registry -> name -> number."""
_NAMES: Final[Mapping[str, Mapping[int, str]]] = {
    registry: {number: name for name, number in table.items()}
    for registry, table in _NUMBERS.items()
}
_FOLDED: Final[Mapping[str, Mapping[str, int]]] = {
    registry: {name.lower(): number for name, number in table.items()}
    for registry, table in _NUMBERS.items()
}


def cipher_name(number: int) -> str:
    """IANA name of a suite such as `TLS_AES_128_GCM_SHA256`, else `0x1301`."""
    return _NAMES["cipher_suites"].get(number, f"0x{number:04x}")


def group_name(number: int) -> str:
    """IANA name of a key-exchange group such as `x25519`, else `0x001d`."""
    return _NAMES["groups"].get(number, f"0x{number:04x}")


def signature_name(number: int) -> str:
    """IANA name of a signature scheme such as `ed25519`, else `0x0807`."""
    return _NAMES["signature_algorithms"].get(number, f"0x{number:04x}")


def version_name(number: int) -> str:
    """Name of a protocol version such as `TLS 1.3`, else `0x0304`."""
    return _NAMES["versions"].get(number, f"0x{number:04x}")


def extension_name(number: int) -> str:
    """IANA name of an extension such as `server_name`, else its decimal number."""
    return _NAMES["extensions"].get(number, str(number))


def message_name(number: int) -> str:
    """Name of a handshake message such as `ClientHello`, else `message of type 99`."""
    return _NAMES["messages"].get(number, f"message of type {number}")


def known_names(field: str) -> tuple[str, ...]:
    """The names that a field of a client profile may contain.

    Args:
        field: a field of `Client` that holds code points, such as `cipher_suites`.

    Raises:
        KeyError: the field holds no code points.
    """
    return tuple(_NUMBERS[_registry(field)])


def code_point(field: str, name: str) -> int | None:
    """Number of a name in a field of a client profile, ignoring case; None if unknown.

    Args:
        field: a field of `Client` that holds code points, such as `cipher_suites`.
        name: as IANA spells it, such as `TLS_AES_128_GCM_SHA256`.

    Raises:
        KeyError: the field holds no code points.
    """
    return _FOLDED[_registry(field)].get(name.strip().lower())


def _registry(field: str) -> str:
    return "groups" if field == "key_shares" else field


NAMES: Final[Mapping[str, Callable[[int], str]]] = {
    "tls_version": version_name,
    "cipher": cipher_name,
    "key_group": group_name,
}
"""How the numbers of an attribute (`stress.model.attributes`) are named."""
