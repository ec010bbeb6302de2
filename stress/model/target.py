"""Where connections go: the `Target` that the user names and its `Address`es."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address


@dataclass(frozen=True, slots=True)
class Target:
    """What is tested: a host (name or address literal) and a port."""

    host: str
    port: int = 443

    def __post_init__(self) -> None:
        if not self.host:
            raise ValueError("a target needs a host")
        if not 1 <= self.port <= 65535:
            raise ValueError(f"port {self.port} is not between 1 and 65535")

    @property
    def literal(self) -> IPv4Address | IPv6Address | None:
        """The host as an address when it is one, else None (it is a name to resolve)."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Address:
    """One address of a target; all addresses are sampled equally."""

    ip: str
    """Canonical text of an IPv4 or IPv6 address."""
    port: int
    label: str | None = None
    """A name the user gave it (`--address IP=LABEL`), else None."""

    @property
    def family(self) -> str:
        """`ipv4` or `ipv6`."""
        return "ipv6" if ":" in self.ip else "ipv4"

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"
