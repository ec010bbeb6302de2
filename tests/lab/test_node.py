"""A node counts what it is given and does what its faults say."""

from __future__ import annotations

import socket

import pytest
import trio

from stress.lab.blueprint import Fault, FaultAction, FaultCondition, Identity, NodeSpec
from stress.lab.node import Node
from stress.lab.site import Site
from tests.lab.client import PLAIN, Attempt, Seen


@pytest.fixture
def good(site: Site) -> Identity:
    return site.show("good", site.leaf()).identity


def visit(site: Site, node: Node, times: int) -> list[Seen]:
    """Let clients meet the node, one after the other."""
    front = site.front()
    listener = socket.socket(fileno=front.descriptor)
    seen: list[Seen] = []

    async def serve(first_s: float) -> None:
        for _ in range(times):
            await trio.lowlevel.wait_readable(listener.fileno())
            peer, _ = listener.accept()
            peer.settimeout(0)
            await node.serve(peer, first_s)

    async def both() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve, trio.current_time())
            attempts = [Attempt(front.address, PLAIN, PLAIN.context()) for _ in range(times)]
            seen.extend([await attempt.run() for attempt in attempts])

    try:
        trio.run(both)
    finally:
        listener.detach()
    return seen


@pytest.mark.parametrize(
    ("act", "ending"),
    [(FaultAction.RESET, "reset"), (FaultAction.CLOSE, "eof"), (FaultAction.ANSWER, "ok")],
)
def test_a_fault_that_fires_does_its_act_and_is_counted(
    site: Site, good: Identity, act: FaultAction, ending: str
) -> None:
    node = Node(NodeSpec("a", good, faults=(Fault(FaultCondition(), act),)), seed=0)
    seen = visit(site, node, 3)

    assert [one.ending for one in seen] == [ending] * 3
    assert (node.served, node.faulted) == (3, 3)


def test_a_node_without_faults_answers_and_counts_none(site: Site, good: Identity) -> None:
    node = Node(NodeSpec("a", good), seed=0)
    seen = visit(site, node, 2)

    assert [one.ending for one in seen] == ["ok"] * 2
    assert (node.served, node.faulted) == (2, 0)


def test_the_first_fault_that_fires_decides(site: Site, good: Identity) -> None:
    other = site.show("other", site.leaf())
    faults = (
        Fault(FaultCondition(best_version=0x0303), FaultAction.RESET),
        Fault(FaultCondition(best_version=0x0304), FaultAction.ANSWER, other.identity),
        Fault(FaultCondition(), FaultAction.CLOSE),
    )
    (seen,) = visit(site, Node(NodeSpec("a", good, faults=faults), seed=0), 1)

    assert (seen.ending, seen.chain) == ("ok", other.sha256)


def test_a_client_that_hangs_up_in_the_middle_is_no_error(site: Site, good: Identity) -> None:
    node = Node(NodeSpec("a", good), seed=0)
    ours, theirs = socket.socketpair()
    ours.settimeout(0)
    theirs.sendall(b"\x16\x03\x01")
    theirs.close()
    trio.run(node.serve, ours, 0.0)

    assert node.served == 1
    assert ours.fileno() == -1
