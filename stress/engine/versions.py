"""Which software took part: stored with every run, because outcomes depend on it."""

from __future__ import annotations

import platform
import ssl
from contextlib import suppress
from importlib import metadata

import stress
from stress.handshake.stack import tls_flags
from stress.model.plan import Plan

_LIBRARIES = ("trio", "utls", "cryptography", "pyOpenSSL", "hdrhistogram")


def versions(plan: Plan | None = None) -> dict[str, str]:
    """Name -> version of the tool, the interpreter, the kernel and the libraries that matter.

    With a plan also the TLS flags of each of its client profiles.

    Raises:
        UsageError: the stack is not installed, or cannot speak one of the clients.
    """
    found = {
        "tls-stress": stress.__version__,
        "python": platform.python_version(),
        "kernel": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "system-openssl": ssl.OPENSSL_VERSION,
    }
    for name in _LIBRARIES:
        with suppress(metadata.PackageNotFoundError):  # one TLS library may have been left out
            found[name] = metadata.version(name)
    if plan is not None:
        for client in plan.clients:
            flags = tls_flags(client, plan.stack)
            found[f"tls-flags of {client.name}"] = f"{plan.stack} {flags}"
    return found
