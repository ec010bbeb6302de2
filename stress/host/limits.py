"""What this machine allows: cores, open files, local ports, routes. Nothing is sent."""

from __future__ import annotations

import os
import resource
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stress.host.addresses import source_address

_LINUX_DEFAULT = range(32_768, 61_000)
_DYNAMIC_PORTS = range(49_152, 65_536)
"""RFC 6335 section 6; macOS uses them, too."""


def reported_port_range(root: Path = Path("/")) -> range | None:
    """Return the local ports for outgoing connections that Linux reports; None: it reports none.

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


Reaches = Callable[[str], bool]
"""Whether there is a route to an IP address."""


def has_route(ip: str) -> bool:
    """Tell whether the kernel has a route to an IP address."""
    return source_address(ip) is not None


@dataclass(frozen=True, slots=True)
class Machine:
    """The limits that a load has to fit into."""

    cores: int
    """That this process may use."""
    open_files: int | None
    """Hard limit of open files for one process; None: no limit."""
    local_ports: int
    """Ports the kernel hands out to outgoing connections, per local address and destination."""
    reaches: Reaches = has_route
    """Tells whether there is a route to an IP address."""

    @classmethod
    def here(cls) -> Machine:
        """Read the limits from the operating system."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hasattr(os, "sched_getaffinity"):  # Linux: a container may have fewer than the machine
            cores = len(os.sched_getaffinity(0))
        else:
            cores = os.cpu_count() or 1
        return cls(cores, None if hard == resource.RLIM_INFINITY else hard, len(local_port_range()))


def raise_open_files(needed: int) -> None:
    """Raise the soft limit of open files to `needed` where it is lower; workers inherit it.

    Raises:
        OSError: the system refuses although the hard limit allows it (macOS has a third limit).
        ValueError: the hard limit is lower.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def raise_open_files_fully() -> None:
    """Raise the soft limit of open files to the hard one, where the system lets us."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # macOS has a third limit, below an unlimited hard one
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def is_local(ip: str) -> bool:
    """Tell whether an address is one of this machine's, so that connections can start from it."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((ip, 0))
    except OSError:
        return False
    return True
