"""On what the figures were measured: a figure without its machine says nothing."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path


def describe() -> list[tuple[str, str]]:
    """Machine and versions as rows of a table."""
    return [
        ("processor", f"{_processor()}, {os.cpu_count()} cores"),
        ("other work on it", f"load average {os.getloadavg()[0]:.1f} before the first round"),
        ("system", f"{platform.system()} {platform.release().split('-')[0]}"),
        ("Python", platform.python_version()),
        *((name, version(name)) for name in ("utls", "cryptography", "trio", "hdrhistogram")),
        ("nginx", _first_line(["nginx", "-v"]).rpartition("/")[2]),
        ("openssl", _first_line(["openssl", "version"]).removeprefix("OpenSSL ")),
        ("ab", _first_line(["ab", "-V"]).removeprefix("This is ApacheBench, ")),
        *(
            (tool, "installed" if shutil.which(tool) else "not installed")
            for tool in ("hey", "wrk", "h2load")
        ),
    ]


def _processor() -> str:
    """The processor's own name where the system reports it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _first_line(command: list[str]) -> str:
    program = shutil.which(command[0], path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        return "not installed"
    done = subprocess.run([program, *command[1:]], check=False, capture_output=True, text=True)
    return (done.stdout + done.stderr).strip().splitlines()[0]
