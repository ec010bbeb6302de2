"""Runs first on the far side, on whatever Python is there: is there a tls-stress of our release?

`execnet` sends the source of this module, so it imports nothing of ours before it has answered, and
uses nothing that Python 3.8 lacks. The conversation: it is told our release, and where the package
may lie (only on this machine); it answers what it found, and is told to make a part, to install a
wheel, or nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys


def found(release: str, folder: str) -> dict[str, str]:
    """Return what is here: version of Python, of tls-stress, and another Python that may have it.

    Args:
        release: that is wanted.
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
    deployed = os.path.join(own_folder(release), "bin", "python")  # noqa: PTH118 - any Python
    return {
        "python": ".".join(map(str, sys.version_info[:3])),
        "executable": sys.executable or "",
        "version": version,
        "other": deployed if os.path.exists(deployed) else of_command(),  # noqa: PTH110 - the same
    }


def own_folder(release: str) -> str:
    """Return where a release is installed for runs from other machines (XDG Base Directory)."""
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")  # noqa: PTH111
    return os.path.join(data, "tls-stress", release)  # noqa: PTH118 - any Python


def install(release: str, name: str, wheel: bytes) -> dict[str, str]:
    """Install a wheel into a folder of its own; returns its Python, or what went wrong."""
    folder = own_folder(release)
    python = os.path.join(folder, "bin", "python")  # noqa: PTH118 - any Python
    file = os.path.join(folder, name)  # noqa: PTH118 - the same
    said = ""
    try:
        os.makedirs(folder, mode=0o700)  # noqa: PTH103 - the same
        for argv in (
            [sys.executable, "-m", "venv", folder],
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", file],
        ):
            with open(file, "wb") as target:  # noqa: PTH123 - the same
                target.write(wheel)
            done = subprocess.run(  # noqa: S603 - our own words
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
            )
            if done.returncode:
                said = done.stdout.decode("utf-8", "replace") or "no word"
                break
        else:
            os.unlink(file)  # noqa: PTH108 - the same
            return {"python": python, "said": ""}
    except OSError as error:
        said = str(error)
    shutil.rmtree(folder, ignore_errors=True)
    return {"python": "", "said": said}


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
    channel.send(found(*channel.receive()))
    order = channel.receive()
    if isinstance(order, tuple):
        channel.send(install(*order))
    elif order:
        from stress.vantage.far import serve

        if not serve(channel):
            os._exit(0)  # nobody is there, and the link may not know it
