"""Writes conditions as one phrase, such as "at 192.0.2.7:443 with TLS 1.2"."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

_PHRASES = {
    "address": "at {}",
    "label": "at {}",
    "family": "over {}",
    "client": "with client {}",
    "vantage": "from source {}",
    "tls_version": "with {}",
    "rate": "at an offered {}",
    "local_port": "from local ports with {}",
    "cipher": "with {}",
    "key_group": "with key exchange {}",
    "alpn": "with ALPN {}",
    "chain": "with chain {}",
    "leaf": "with the certificate {}",
    "issuer": "with a certificate issued by {}",
    "backend": "behind backend {}",
}
_FAMILIES = {"ipv4": "IPv4", "ipv6": "IPv6"}


class PlaceCondition(Protocol):
    """A condition, of the summary or of the search."""

    @property
    def dimension(self) -> str: ...
    @property
    def value(self) -> str | tuple[str, str]: ...


def place(conditions: Iterable[PlaceCondition]) -> str:
    """All conditions as one phrase."""
    return " ".join(_phrase(condition) for condition in conditions)


def _phrase(condition: PlaceCondition) -> str:
    dimension, value = str(condition.dimension), condition.value
    words = _range(dimension, value) if isinstance(value, tuple) else _single(dimension, value)
    return f"not {words}" if getattr(condition, "op", "is") == "is not" else words


def _range(dimension: str, ends: tuple[str, str]) -> str:
    span = f"between {ends[0]} and {ends[1]}"
    return span if dimension == "time" else f"with {dimension} {span}"


def _single(dimension: str, value: str) -> str:
    match dimension:
        case "time":
            # `from 10:31:07`, `until 10:31:07`, or a list of stretches.
            alone = value.startswith("from ") and "," not in value
            if alone:
                return f"{value} on"
            return value if value[0] in "ftu" else f"in the times {value}"
        case "sni":
            return "without SNI" if value == "none" else f"with SNI {value}"
        case "resumed":
            return "when a session is resumed" if value == "yes" else "in full handshakes"
    return _PHRASES.get(dimension, f"{dimension} = {{}}").format(_FAMILIES.get(value, value))
