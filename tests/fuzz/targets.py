"""What is fuzzed: functions of bytes that must never raise, whatever the bytes are."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from stress.handshake import HangUp, MachineFactory, stack_for
from stress.handshake.wire import Wire
from stress.model.plan import Client, Stack
from stress.trust import Anchors, Judge, describe
from tests.servers.crooked import HOST, House
from tests.stacks import HAS_BORINGSSL

NOW = 1_800_000_000
STACKS = [stack for stack in Stack if stack is Stack.OPENSSL or HAS_BORINGSSL]


@cache
def factory(stack: Stack) -> MachineFactory:
    return stack_for(Client("fuzz"), stack, server_name=HOST)


@cache
def house() -> House:
    with tempfile.TemporaryDirectory(prefix="tls-stress-fuzz-") as folder:
        return House(Path(folder))


@cache
def judge() -> Judge:
    return Judge(Anchors((house().root,), "fuzz", private=True))


def records(data: bytes) -> None:
    """Bytes of a server, in pieces, through the reader and both stacks: all end in a step."""
    size = 1 + (data[0] if data else 0)
    said = data[1:]
    pieces = [said[at : at + size] for at in range(0, len(said), size)]
    wire = Wire()
    for piece in pieces:
        wire.feed(piece)
    for stack in STACKS:
        machine = factory(stack).machine()
        machine.begin()
        for piece in pieces:
            machine.receive(piece)
        machine.hang_up(HangUp.EOF)
        machine.facts()


def certificates(data: bytes) -> None:
    """A leaf of these bytes, alone and above an intermediate: described and judged."""
    describe(data)
    for chain in ((data,), (data, house().middle), (house().good[0], data)):
        judge().meet(chain)
        judge().judge(chain, host=HOST, at=NOW, policy="any")


TARGETS: dict[str, Callable[[bytes], None]] = {"records": records, "certificates": certificates}


def seeds(name: str) -> list[bytes]:
    """Good input to begin with."""
    if name == "certificates":
        return [house().root, house().middle, house().good[0]]
    from tests.handshake.scripted import Scripted13  # noqa: PLC0415 - only for the seeds
    from tests.servers.hostile import curve_flight  # noqa: PLC0415 - the same

    sent = factory(STACKS[-1]).machine().begin().send
    older = b"".join(curve_flight(sent, house()))
    newer = b"".join(Scripted13(house().good, house().key).flight(sent))
    return [b"\xff" + older, b"\x10" + older, b"\xff" + newer, b"\xff\x15\x03\x03\0\2\2\x28"]
