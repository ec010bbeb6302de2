"""Sans-IO TLS client: bytes in, bytes out; it never sees a clock, a socket or an await."""

from stress.handshake.flight import KeyLog
from stress.handshake.machine import Facts, HangUp, Machine, MachineFactory, Session, State, Step
from stress.handshake.stack import Credentials, stack_for

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
