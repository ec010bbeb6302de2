"""A client is data, and says nothing that was not said."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from stress.model.plan import Client, Stack


def test_a_client_of_which_only_the_name_is_known_asks_as_the_stack_does() -> None:
    client = Client("plain")

    assert client.versions == (0x0304, 0x0303)
    assert (client.cipher_suites, client.groups, client.extensions) == ((), (), ())
    assert client.server_name
    assert (client.policy, client.weight) == ("any", 1.0)


def test_a_client_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Client("plain").name = "other"  # type: ignore[misc]  # the point of the test


def test_the_stacks_are_named_as_on_the_command_line() -> None:
    assert [stack.value for stack in Stack] == ["boringssl", "openssl"]
