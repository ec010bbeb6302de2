"""A client profile as data: what its ClientHello says and which trust policy its user has."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

NO_POLICY = "none"
"""The trust policy that rejects nothing: chains are recorded and not validated."""


class Stack(StrEnum):
    """The TLS library that performs the handshake."""

    BORINGSSL = "boringssl"
    OPENSSL = "openssl"


@dataclass(frozen=True, slots=True)
class Client:
    """A client program. An empty tuple means the TLS stack's default; code points are IANA numbers.

    One TOML file in `profiles/clients/` each.
    """

    name: str
    title: str = ""
    """One line: which program this is."""
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
    """Whether SNI is sent. The certificate is checked against the name in any case."""
    session_tickets: bool = True
    policy: str = "any"
    """Name of the trust policy of its platform (`stress.trust`)."""
    cannot_express: tuple[str, ...] = ()
    """Parts of the real client's hello that none of our stacks can send, in words."""
    weight: float = 1.0
    """Weight in the mix, relative to the other clients of the run."""
