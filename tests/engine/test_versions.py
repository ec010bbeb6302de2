from __future__ import annotations

import stress
from stress.engine.versions import versions


def test_every_program_that_took_part_is_named_with_a_version() -> None:
    found = versions()

    assert found["tls-stress"] == stress.__version__
    assert {"python", "kernel", "utls", "pyOpenSSL", "cryptography", "trio"} <= set(found)
    assert all(found.values())
