"""Which programs took part: stored with every run, because answers depend on them."""

from __future__ import annotations

import platform
import ssl
from contextlib import suppress
from importlib import metadata

import stress

_LIBRARIES = ("trio", "utls", "cryptography", "pyOpenSSL", "hdrhistogram")


def versions() -> dict[str, str]:
    """Name -> version of the tool, the interpreter, the kernel and the libraries that matter."""
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
    return found
