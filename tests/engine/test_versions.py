from __future__ import annotations

import stress
from stress.engine.versions import versions
from tests.stacks import HAS_BORINGSSL


def test_every_program_that_took_part_is_named_with_a_version() -> None:
    found = versions()

    assert found["tls-stress"] == stress.__version__
    assert {"python", "kernel", "pyOpenSSL", "cryptography", "trio"} <= set(found)
    assert ("utls" in found) == HAS_BORINGSSL
    assert all(found.values())
