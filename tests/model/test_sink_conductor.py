"""A conductor is whatever takes records and says what comes next."""

from __future__ import annotations

from collections.abc import Sequence

from stress.model.plan import Segment
from stress.model.record import Record
from stress.model.sink import LoadController


class Twice:
    """Plays the same segment two times."""

    def __init__(self) -> None:
        self.left = 2

    def take(self, records: Sequence[Record]) -> None:
        pass

    def sang(self, totals_ns: Sequence[int | None]) -> None:
        pass

    def next(self) -> Segment | None:
        self.left -= 1
        return Segment(rate=100, seconds=1) if self.left >= 0 else None


def test_a_conductor_ends_by_saying_none() -> None:
    conductor: LoadController = Twice()  # the type checker's half of this test
    conductor.take(())

    assert conductor.next() == conductor.next() == Segment(100, 1)
    assert conductor.next() is None
