"""A stranger's chain costs little, reaches nothing, and never ends in a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.strangers.chains import fixed, mutated
from tests.strangers.doors import visit, wrongs
from tests.yardstick import stretched

pytestmark = pytest.mark.slow

MOST_SECONDS = 5.0
MOST_MEGABYTES = 300.0


@pytest.mark.long
def test_every_hostile_chain_gets_a_verdict_or_a_message(tmp_path: Path) -> None:
    files = {**fixed(), **{f"mutated-{n}": one for n, one in enumerate(mutated(300, seed=1))}}
    paths = []
    for name, data in files.items():
        paths.append(tmp_path / name)
        paths[-1].write_bytes(data)

    most_s = stretched(MOST_SECONDS)
    visits = visit([["judge", path, "--host", "good.test"] for path in paths], tmp_path)

    assert wrongs(visits) == []
    assert len(visits.visits) == len(paths)
    assert {one.code for one in visits.visits} <= {1, 2}
    assert {one.words[1]: one.seconds for one in visits.visits if one.seconds > most_s} == {}
    assert visits.megabytes < MOST_MEGABYTES
    shown = "".join(one.out + one.err for one in visits.visits)
    assert all(letter.isprintable() or letter == "\n" for letter in shown)
