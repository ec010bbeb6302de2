"""What the tests of this room share: a judge for each kind of anchors."""

from __future__ import annotations

import pytest

from stress.trust import Judge
from tests.trust.defects import private, public


@pytest.fixture
def judge() -> Judge:
    """Under the test roots as a user's own."""
    return Judge(private())


@pytest.fixture
def public_judge() -> Judge:
    """Under the test roots as if the world knew them."""
    return Judge(public())
