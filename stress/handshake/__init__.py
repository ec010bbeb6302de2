"""Sans-IO TLS client: bytes in, bytes out; it never sees a clock, a socket or an await."""

from stress.handshake.keylog import KeyLog
from stress.handshake.stack import Credentials, stack_for
from stress.handshake.step import (
    Facts,
    HangUp,
    Machine,
    MachineFactory,
    Session,
    State,
    Step,
)

__all__ = [
    "Credentials",
    "Facts",
    "HangUp",
    "KeyLog",
    "Machine",
    "MachineFactory",
    "Session",
    "State",
    "Step",
    "stack_for",
]
