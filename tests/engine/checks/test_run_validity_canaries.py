from __future__ import annotations

import pytest

from stress.engine.checks.run_validity import Canaries

QUICK, SLOW = 3_000_000, 400_000_000


@pytest.mark.parametrize(
    ("totals_ns", "words"),
    [
        ([], None),
        ([QUICK] * 100, None),
        ([*[QUICK] * 100, SLOW, SLOW], None),  # a moment
        ([*[QUICK] * 97, *[SLOW] * 3], "0 failed and 3 took over 100 ms (up to 0.4 s)"),
        ([*[QUICK] * 97, *[None] * 3], "of 100 handshakes"),
        ([*[QUICK] * 9_000, *[SLOW] * 30], None),  # a third of a per cent
        ([None] * 100, None),  # this client cannot talk to it
    ],
)
def test_canaries_accuse_us_when_many_are_bad(
    totals_ns: list[int | None], words: str | None
) -> None:
    canaries = Canaries()

    for begin in range(0, len(totals_ns), 7):
        canaries.take(totals_ns[begin : begin + 7])
    doubt = canaries.doubt()

    assert (doubt is None) is (words is None)
    assert words is None or (doubt is not None and words in doubt)
