"""Every protocol that can be named has a script."""

from __future__ import annotations

from stress.dialogues import SCRIPTS
from stress.model.plan import StartTls


def test_each_protocol_has_a_script() -> None:
    assert set(SCRIPTS) == set(StartTls)
