"""The scorecard is made of real runs; a short one shows what its page says."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.scorecard import main


@pytest.mark.long
@pytest.mark.alone
@pytest.mark.slow
def test_a_short_scorecard_says_what_was_found(capsys: Any, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    code = main(["--only", "round-robin-1-of-8", "--healthy", "2", "--page", str(page)])

    told = capsys.readouterr().out
    assert code == 0
    assert "| `round-robin-1-of-8` | node-08 sends the leaf" in told
    assert "250 of 2,000 (12.5%)" in told
    assert "What was planted was found in 1 of 1 scenarios.\n" in told
    assert "0 of 2 runs of a healthy farm (2,000 handshakes in all) reported a cause." in told
    assert not page.exists()
