from __future__ import annotations

import numpy as np
import pytest

from benchmarks.worlds import FACTS
from stress.analysis.causes.slowness import slow_records
from stress.analysis.causes.table import tabulate
from stress.analysis.recording import Recording
from stress.analysis.verdict import NANOSECONDS
from stress.model.record import RecordColumn, RecordTable
from stress.model.run import Cube


def table(slow: bool, *, counted: bool) -> RecordTable:
    """Two thousand rows at four servers; where they are counted, each is one of three attempts."""
    random = np.random.default_rng(5)
    server = random.integers(1, 5, 2_000)
    bins = random.integers(1, 6, 2_000) + 5 * (slow & (server == 2))
    values = tuple(f"{10_000_000 * number}" for number in range(1, 11))
    return RecordTable(
        blocks=(np.arange(2_000) // 50).astype(np.uint16).tobytes(),
        outcomes=np.zeros(2_000, np.uint8).tobytes(),
        names=("ok",),
        counts=np.full(2_000, 3).tobytes() if counted else b"",
        columns=(RecordColumn("server", ("a", "b", "c", "d"), _bytes(server), 4),),
        took=RecordColumn("took", values, _bytes(bins), 10),
    )


def _bytes(codes: np.ndarray[tuple[int], np.dtype[np.int64]]) -> bytes:
    return codes.astype(np.uint8).tobytes()


def recording() -> Recording:
    return Recording(FACTS, tabulate((), ()), Cube(NANOSECONDS, ()))


@pytest.mark.parametrize("counted", [False, True])
def test_the_slower_server_is_named_with_its_attempts(counted: bool) -> None:
    records = table(slow=True, counted=counted)
    (claim,) = slow_records(recording(), records)
    there = int((np.frombuffer(records.columns[0].codes, np.uint8) == 2).sum())

    assert [(str(one.dimension), one.value) for one in claim.conditions] == [("server", "b")]
    assert claim.inside.attempts == there * (3 if counted else 1)
    assert claim.inside.attempts + claim.elsewhere.attempts == 2_000 * (3 if counted else 1)
    assert claim.shift is not None
    assert (claim.shift.there_us, claim.shift.elsewhere_us) == (80_000, 30_000)


def test_where_nobody_is_slower_nothing_is_claimed() -> None:
    assert not list(slow_records(recording(), table(slow=False, counted=False)))
