"""A sans-IO TLS client: bytes in, bytes out; it never uses a clock, a socket or an await."""

from stress.handshake.keylog import KeyLog
from stress.handshake.machine import (
    Credentials,
    Facts,
    HandshakeMachine,
    HangUp,
    MachineFactory,
    Output,
    Session,
    State,
)
from stress.handshake.stack import factories, stack_for, stack_speaking

__all__ = [
    "Credentials",
    "Facts",
    "HandshakeMachine",
    "HangUp",
    "KeyLog",
    "MachineFactory",
    "Output",
    "Session",
    "State",
    "factories",
    "stack_for",
    "stack_speaking",
]
