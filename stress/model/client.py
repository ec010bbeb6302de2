"""A client profile as data: what its ClientHello says and which trust policy its user has."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

NO_POLICY = "none"
"""The trust policy that refuses nothing: chains are kept and no verdict is made."""


class Stack(StrEnum):
    """The TLS library that performs the handshake."""

    BORINGSSL = "boringssl"
    OPENSSL = "openssl"


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks. Empty tuples mean "as the TLS stack does by itself"; code points are IANA numbers.

    One TOML file in `profiles/clients/` each.
    """

    name: str
    title: str = ""
    """One line for people: which program this is."""
    versions: tuple[int, ...] = (0x0304, 0x0303)
    """TLS versions offered, as wire numbers (0x0303 is TLS 1.2), best first."""
    cipher_suites: tuple[int, ...] = ()
    groups: tuple[int, ...] = ()
    key_shares: tuple[int, ...] = ()
    signature_algorithms: tuple[int, ...] = ()
    alpn: tuple[str, ...] = ()
    extensions: tuple[int, ...] = ()
    """Extension numbers in the order the real client sends them (for JA3); empty: unknown."""
    compress_certificate: tuple[str, ...] = ()
    grease: bool = False
    server_name: bool = True
    """Whether SNI is sent. A client that sends none is judged against the name all the same."""
    session_tickets: bool = True
    policy: str = "any"
    """Name of the trust policy its user lives under (`stress.trust`)."""
    cannot_express: tuple[str, ...] = ()
    """Parts of the real client's hello that no stack of ours can send, in words."""
    weight: float = 1.0
    """Share in the mix, relative to the other clients of the run."""
