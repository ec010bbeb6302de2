"""`tls-stress version`: the same line as `tls-stress --version`."""

from __future__ import annotations

import stress
from stress.cli import console
from stress.errors import ExitCode
from stress.text.escape import PROGRAM


def version() -> int:
    """Print the version.

    Examples:
        tls-stress version
    """
    console.print_data(f"{PROGRAM} {stress.__version__}\n")
    return ExitCode.CLEAN
