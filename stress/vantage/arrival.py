"""Runs first on the far side, on whatever Python is there: is there a tls-stress of our release?

`execnet` sends the source of this module, so it imports nothing of ours before it has answered, and
uses nothing that Python 3.8 lacks. The conversation: it is told where the package may lie (only on
this machine), answers what it found, and is told whether to go on.
"""

from __future__ import annotations

import os
import shutil
import sys


def found(folder: str) -> dict[str, str]:
    """Return what is here: version of Python, of tls-stress, and the Python of its command.

    Args:
        folder: that holds the package, where it need not be installed; empty: it must be.
    """
    # What the working folder holds is not imported.
    sys.path[:] = [entry for entry in sys.path if entry not in {"", os.getcwd()}]  # noqa: PTH109 - any Python
    if folder:
        sys.path.insert(0, folder)
    try:
        from stress import __version__ as version  # noqa: PLC0415 - may be missing
    except (ImportError, SyntaxError):
        version = ""
    if folder:
        sys.path.remove(folder)
    return {
        "python": ".".join(map(str, sys.version_info[:3])),
        "executable": sys.executable or "",
        "version": version,
        "other": "" if version else of_command(),
    }


def of_command() -> str:
    """Return the Python of the command `tls-stress`, as pip and pipx write it; empty: none."""
    own = os.path.expanduser("~/.local/bin")  # noqa: PTH111 - any Python
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), own])
    command = shutil.which("tls-stress", path=path)
    if command is None:
        return ""
    try:
        with open(command, "rb") as file:  # noqa: PTH123 - any Python
            lines = file.read(4096).decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    for line in lines[:3]:  # a long path stands in a second line, after `#!/bin/sh`
        word = line.replace("'''exec' ", "#!", 1).replace('"', "").split(" ")[0]
        if word.startswith("#!/") and "python" in word:
            return word[2:]
    return ""


if __name__ == "__channelexec__":
    channel = globals()["channel"]
    channel.send(found(channel.receive()))
    if channel.receive():
        from stress.vantage.far import serve

        if not serve(channel):
            os._exit(0)  # nobody is there, and the link may not know it
