"""Whatever a server says, a machine ends in a step and never in an exception."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.handshake import HandshakeMachine, HangUp, MachineFactory, State, stack_for
from stress.model.outcome import Stage
from stress.model.plan import Client, Stack
from tests.handshake.ends import HOST, Pki
from tests.handshake.scripted import message, plain_flight, record


@cache
def factory(stack: Stack) -> MachineFactory:
    return stack_for(Client("test"), stack, server_name=HOST)


TLS_LIKE = st.builds(
    record,
    st.sampled_from([20, 21, 22, 23]),
    st.binary(max_size=300)
    | st.builds(message, st.sampled_from([0, 2, 4, 11, 12, 13, 14]), st.binary(max_size=200)),
    st.sampled_from([0x0301, 0x0303, 0x0304, 0x0300]),
)


@pytest.mark.slow
@given(data=st.lists(st.binary(max_size=200) | TLS_LIKE, max_size=5), cut=st.integers(1, 50))
def test_any_bytes_end_in_a_step(stack: Stack, data: list[bytes], cut: int) -> None:
    machine: HandshakeMachine = factory(stack).machine()
    machine.begin()
    said = b"".join(data)

    states = [machine.receive(said[at : at + cut]).state for at in range(0, len(said), cut)]

    assert State.FINISHED not in states
    assert machine.hang_up(HangUp.EOF).state is State.OVER
    assert machine.facts().stage < Stage.FINISHED


@pytest.mark.slow
@given(
    damage=st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 255)), max_size=3),
    keep=st.floats(0, 1),
)
def test_any_damage_to_a_tls12_flight_ends_in_a_step(
    stack: Stack, pki: Pki, damage: list[tuple[int, int]], keep: float
) -> None:
    machine: HandshakeMachine = factory(stack).machine()
    sent = machine.begin().send
    said = bytearray(b"".join(plain_flight(sent, pki.ecdsa.chain, pki.ecdsa.curve_key)))
    for at, mask in damage:
        said[at % len(said)] ^= mask

    machine.receive(bytes(said[: round(keep * len(said))]))
    machine.hang_up(HangUp.EOF)

    assert machine.facts().stage < Stage.FINISHED
