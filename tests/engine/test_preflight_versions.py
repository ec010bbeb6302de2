from __future__ import annotations

from dataclasses import replace

import pytest

import stress
from stress.engine.preflight import versions
from stress.model.plan import Address, Stack
from tests.engine.conftest import plan_for
from tests.stacks import HAS_BORINGSSL, main_stack


def test_every_program_that_took_part_is_named_with_a_version() -> None:
    found = versions()

    assert found["tls-stress"] == stress.__version__
    assert {"python", "kernel", "pyOpenSSL", "cryptography", "trio"} <= set(found)
    assert ("utls" in found) == HAS_BORINGSSL
    assert all(found.values())


@pytest.mark.parametrize("stack", [main_stack(), Stack.OPENSSL])
def test_the_flags_of_the_tls_library_are_told_for_each_client(stack: Stack) -> None:
    """Nothing is judged in the handshake, and no default of a later library can change that."""
    plan = replace(plan_for(Address("127.0.0.1", 9), b""), stack=stack)
    flags = versions(plan)["tls-flags of generic"]

    assert flags.startswith(f"{stack} verify_mode=0 ")
    assert " options=0x" in flags
