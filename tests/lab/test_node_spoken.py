"""The lab's side of STARTTLS, against the client's own dialogues."""

from __future__ import annotations

import socket

import pytest
import trio

from stress.dialogues import SCRIPTS
from stress.dialogues.dialogue import Dialogue
from stress.lab.node import SPOKEN, ServerSession, speak
from stress.model.plan import StartTls


async def conversation(protocol: StartTls, *, leaves: bool = False) -> tuple[bool, Dialogue]:
    """Let a client talk to the node; returns whether the node said go ahead, and the dialogue."""
    ours, theirs = socket.socketpair()
    one, agreed = Dialogue.of(SCRIPTS[protocol], "mail.test", "127.0.0.1"), list[bool]()

    async def node() -> None:
        agreed.append(await speak(ServerSession(theirs), protocol))

    with ours, theirs:
        theirs.setblocking(False)
        client = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(node)
            said = one.begin()
            if leaves:
                await client.aclose()
            while not (one.is_over or leaves):
                for octet in said:  # a message may come in pieces
                    await client.send_all(bytes([octet]))
                said = one.receive(await client.receive_some())
    return agreed[0], one


@pytest.mark.parametrize("protocol", sorted(SPOKEN), ids=str)
def test_a_node_and_our_client_agree_on_tls(protocol: StartTls) -> None:
    agreed, one = trio.run(conversation, protocol)

    assert agreed
    assert (one.is_over, one.breach) == (True, None)


def test_a_client_may_leave() -> None:
    async def left() -> tuple[bool, Dialogue]:
        return await conversation(StartTls.LDAP, leaves=True)

    agreed, _ = trio.run(left)

    assert not agreed
