"""Starts Python modules of ours as processes that import nothing from the working folder.

`python -m` looks for modules in the current folder first, where a stranger's `queue.py` may lie. So
our processes get no current folder on their path, neither from Python (-P) nor from an empty entry
of PYTHONPATH, which means the same. They take the package `stress` from where this process has it,
which need not be installed: that folder is on the path only while the package itself is imported.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_START = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); import stress; del sys.path[0];"
    " import runpy; runpy.run_module(sys.argv.pop(1), run_name='__main__')"
)


def python_command(module: str, *arguments: str) -> list[str]:
    """Return the command line that runs a module of this package; `python_environment` fits it."""
    package_parent = Path(__file__).resolve().parents[2]
    return [sys.executable, "-P", "-c", _START, str(package_parent), module, *arguments]


def python_environment() -> dict[str, str]:
    """Return our environment without the current folder as a place of modules."""
    entries = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    kept = [name for name in entries if (path := Path(name)).exists() and not path.samefile(".")]
    others = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    elsewhere = {"PYTHONPATH": os.pathsep.join(kept)} if kept else {}
    return others | elsewhere | {"PYTHONSAFEPATH": "1"}
