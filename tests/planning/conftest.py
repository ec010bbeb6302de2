"""What the planning tests share: a machine of known size."""

from __future__ import annotations

import pytest

from stress.host.limits import Machine


@pytest.fixture
def machine() -> Machine:
    """Four cores and room for 1,000 files a process, in the middle of the net."""
    return Machine(cores=4, open_files=1000, local_ports=28_232, reaches=lambda _: True)
