"""What succeeds here is what real limiters let through, by their own count."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from benchmarks.limiters import KINDS, NAMESPACE, Measured, measure
from tests.servers.limiters import STREAM

pytestmark = [
    pytest.mark.real("haproxy", "nginx"),
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("unshare") is None
        or subprocess.run([*NAMESPACE, "true"], check=False, capture_output=True).returncode != 0,
        reason="no namespaces may be made here",
    ),
]
MISSING = {
    "nft": shutil.which("nft") is None,
    "nginx": not STREAM.exists(),
}


@pytest.mark.long
@pytest.mark.parametrize("name", KINDS)
def test_good_handshakes_are_the_connections_that_a_limiter_let_through(name: str) -> None:
    if MISSING.get(name):
        pytest.skip(f"no {name}")
    found = measure(name, short=True)

    assert found.good == found.through > 0
    refused = name != "haproxy-waits"
    assert found.verdict == ("failing" if refused else "clean")


@pytest.mark.parametrize(
    ("sustained", "good", "found"),
    [(143.0, 5_000, True), (157.0, 5_000, True), (141.0, 5_000, False), (150.0, 4_900, False)],
)
def test_an_answer_is_right_within_five_percent_if_the_counts_agree(
    sustained: float, good: int, found: bool
) -> None:
    measured = Measured("nft", 140.0, 150.0, sustained, 158.0, good, 5_000, 90.0, "failing")

    assert measured.found is found
    assert "| 140/s | 150/s |" in measured.row()
    assert f"| {sustained:.0f} ({sustained / 150 - 1:+.1%}) | 158 (+5.3%) |" in measured.row()
