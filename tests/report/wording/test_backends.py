from __future__ import annotations

import pytest

from stress.model.run import JoinedLog
from stress.report.wording.backends import joined_sentences

JOINED = JoinedLog(
    files=("a.log", "b.log", "c.log", "d.log"),
    format="HAProxy",
    by_time=False,
    joined=596,
    ambiguous=3,
    unmatched=1,
    offset_ns=-258_000,
    spread_ns=979_000,
)


def test_the_counts_add_up_and_the_clocks_are_told() -> None:
    found, clocks = joined_sentences(JOINED)

    assert found == (
        "Backends: 596 of 600 (99.33%) attempts that connected were found "
        "in a.log, b.log, c.log and 1 more (HAProxy), by client port and time; "
        "3 ambiguous, 1 not in it"
    )
    assert clocks == (
        "The balancer's clock was 0.258 ms behind ours; "
        "95% of the lines are within 0.979 ms of that."
    )


@pytest.mark.parametrize(
    ("offset_ns", "words"),
    [(0, "0.000 ms ahead of"), (42_000_000_000, "42 s ahead of"), (-7_200 * 10**9, "2.0 h behind")],
)
def test_large_differences_of_clocks_have_a_fitting_unit(offset_ns: int, words: str) -> None:
    changed = JoinedLog(("a.log",), "HAProxy", True, 5, 0, 0, offset_ns, 0)

    found, clocks = joined_sentences(changed)

    assert "a suggestion" in found
    assert f"clock was {words} ours" in clocks
