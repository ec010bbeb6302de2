"""IANA code points of TLS and their names (`iana.toml`), for display and for client profiles."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Final

_TABLES: Final = tomllib.loads((files("stress.codes") / "tables/iana.toml").read_text("utf-8"))
_NUMBERS: Final[Mapping[str, Mapping[str, int]]] = {**_TABLES, "key_shares": _TABLES["groups"]}
"""Field of a client profile, or another registry -> name -> number."""


def _namer(registry: str, unnamed: str = "0x{:04x}") -> Callable[[int], str]:
    names = {number: name for name, number in _NUMBERS[registry].items()}
    return lambda number: names.get(number) or unnamed.format(number)


cipher_name = _namer("cipher_suites")
"""IANA name of a suite such as `TLS_AES_128_GCM_SHA256`, else `0x1301`."""
group_name = _namer("groups")
"""IANA name of a key-exchange group such as `x25519`, else `0x001d`."""
signature_name = _namer("signature_algorithms")
"""IANA name of a signature scheme such as `ed25519`, else `0x0807`."""
version_name = _namer("versions")
"""Name of a protocol version such as `TLS 1.3`, else `0x0304`."""
extension_name = _namer("extensions", unnamed="{}")
"""IANA name of an extension such as `server_name`, else its decimal number."""
message_name = _namer("messages", unnamed="message of type {}")
"""Name of a handshake message such as `ClientHello`, else `message of type 99`."""
NAMES: Final[Mapping[str, Callable[[int], str]]] = {
    "tls_version": version_name,
    "cipher": cipher_name,
    "key_group": group_name,
}
"""How the numbers of an attribute (`stress.model.attributes`) are named."""


def known_names(field: str) -> tuple[str, ...]:
    """The names that a field of a client profile may contain.

    Args:
        field: a field of `Client` that holds code points, such as `cipher_suites`.

    Raises:
        KeyError: the field holds no code points.
    """
    return tuple(_NUMBERS[field])


def code_point(field: str, name: str) -> int | None:
    """Number of a name in a field of a client profile, ignoring case; None if unknown.

    Args:
        field: a field of `Client` that holds code points, such as `cipher_suites`.
        name: as IANA spells it, such as `TLS_AES_128_GCM_SHA256`.

    Raises:
        KeyError: the field holds no code points.
    """
    folded = {known.lower(): number for known, number in _NUMBERS[field].items()}
    return folded.get(name.strip().lower())
