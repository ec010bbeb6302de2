"""A stranger's packet capture is read in time that follows its size, and nothing else happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.strangers.captures import captures
from tests.strangers.doors import visit, wrongs
from tests.yardstick import stretched

MOST_SECONDS = 5.0
NAMES = sorted(captures())


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_capture_costs_what_its_size_costs(name: str, tmp_path: Path) -> None:
    (tmp_path / "x.pcap").write_bytes(captures()[name]())

    out = tmp_path / "mine.toml"

    # The first command loads the program, so that the second shows what the capture costs.
    words: list[list[object]] = [
        ["clients", "list"],
        ["clients", "import", tmp_path / "x.pcap", "--out", out],
    ]
    visits = visit(words, tmp_path)

    _, imported = visits.visits
    assert wrongs(visits, [tmp_path]) == []
    assert imported.code in {0, 2}, imported.err
    assert imported.seconds <= stretched(MOST_SECONDS)
