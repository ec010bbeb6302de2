"""The local ports that the kernel hands out to outgoing connections."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

_LINUX_DEFAULT = range(32_768, 61_000)
_DYNAMIC_PORTS = range(49_152, 65_536)
"""RFC 6335 section 6; macOS uses them, too."""


def reported_port_range(root: Path = Path("/")) -> range | None:
    """Return the ports that Linux reports; None where it reports none.

    Args:
        root: the folder that holds `proc`.
    """
    with suppress(OSError, ValueError):
        text = (root / "proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii")
        first, last = (int(word) for word in text.split())
        return range(first, last + 1)
    return None


def local_port_range() -> range:
    """Return the ports that the kernel reports, or else this system's default range."""
    default = _LINUX_DEFAULT if sys.platform == "linux" else _DYNAMIC_PORTS
    return reported_port_range() or default
