"""Which TLS library the tests speak with where it makes no difference: `--stack` chooses."""

from __future__ import annotations

import os
from importlib.util import find_spec

from stress.model.plan import Stack
from stress.planning.connection_options import STACK_VARIABLE

HAS_BORINGSSL = find_spec("utls") is not None


def main_stack() -> Stack:
    """The one that was chosen, else the program's own default."""
    return Stack(os.environ.get(STACK_VARIABLE, Stack.BORINGSSL))
