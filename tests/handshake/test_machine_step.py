from __future__ import annotations

import pytest

from stress.handshake import Machine, MachineFactory, State, Step, stack_for
from stress.model.client import Client, Stack


def test_a_step_is_what_to_send_and_what_is_needed_next() -> None:
    assert Step(b"hi", State.WAITING) == (b"hi", State.WAITING)


def test_both_stacks_make_machines_of_one_shape(stack: Stack) -> None:
    factory: MachineFactory = stack_for(Client("test"), stack, server_name=None)
    machine: Machine = factory.machine()

    step = machine.begin()

    assert step.state is State.WAITING
    assert step.send
    assert factory.machine() is not machine


def test_facts_cannot_be_changed(stack: Stack) -> None:
    facts = stack_for(Client("test"), stack, server_name=None).machine().facts()

    with pytest.raises(AttributeError):
        facts.detail = "other"  # type: ignore[misc] # that is the point
