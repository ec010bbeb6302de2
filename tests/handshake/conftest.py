"""The PKI and the stacks that every test of this room is run with."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stress.handshake import HandshakeMachine, stack_for
from stress.model.plan import Client, Stack
from tests.handshake.ends import HOST, Pki, make_pki

Begin = Callable[..., HandshakeMachine]


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """One authority with its leaves."""
    return make_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def fresh(stack: Stack) -> Begin:
    """Makes a machine of the stack; keywords are fields of the client."""

    def make(**fields: object) -> HandshakeMachine:
        client = Client("test", **fields)  # type: ignore[arg-type] # a table's fields
        return stack_for(client, stack, server_name=HOST).machine()

    return make
