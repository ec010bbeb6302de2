"""The closed prefix: attempts of a running run that may be counted already.

Whoever counts attempts as they end counts the quick ones first: what is still in flight is what
will time out. So an attempt counts only when every one that began before it has ended, too. Each
worker hands out its ids in the order of its starts, so the prefix is kept for each worker, and one
slow attempt holds up only its own worker's.
"""

from __future__ import annotations

from collections.abc import Sequence

from stress.analysis.tally import side_of
from stress.model.outcome import Side
from stress.model.record import Record

_SECOND = 1_000_000_000


class Prefix:
    """Counts the attempts whose predecessors have all ended.

    Args:
        workers: worker `w` has the ids `first_id + w`, `first_id + w + workers` and so on.
        first_id: of the run, or of its continuation.
    """

    def __init__(self, workers: int, first_id: int = 0) -> None:
        self._workers = workers
        self._next = [first_id + worker for worker in range(workers)]
        self._waiting: dict[int, Record] = {}
        self._reached_ns: list[int | None] = [None] * workers
        self._begun_ns: int | None = None
        self._failed_ns: int | None = None
        self.attempts = 0
        """Without our own endings and what was not sent."""
        self.failures = 0

    def take(self, records: Sequence[Record]) -> tuple[Record, ...]:
        """Attempts that ended, in any order; returns those that are closed now."""
        self._waiting.update((record.id, record) for record in records)
        closed: list[Record] = []
        for worker in range(self._workers):
            while (record := self._waiting.pop(self._next[worker], None)) is not None:
                self._next[worker] += self._workers
                self._reached_ns[worker] = record.started_ns
                self._count(record)
                closed.append(record)
        return tuple(closed)

    def _count(self, record: Record) -> None:
        side = side_of(record.outcome)
        if self._begun_ns is None or record.started_ns < self._begun_ns:
            self._begun_ns = record.started_ns
        if side is Side.TARGET:
            self.failures += 1
            self._failed_ns = max(self._failed_ns or 0, record.started_ns)
        self.attempts += side in {Side.TARGET, Side.NOBODY}

    @property
    def elapsed_s(self) -> float:
        """From the first start to the last up to which everything has ended."""
        return self._since(self._begun_ns)

    @property
    def clean_s(self) -> float:
        """The same, from the last failure on, or from the first start."""
        return self._since(self._failed_ns or self._begun_ns)

    def _since(self, moment_ns: int | None) -> float:
        reached = [each for each in self._reached_ns if each is not None]
        if moment_ns is None or len(reached) < self._workers:
            return 0.0
        return max(0, min(reached) - moment_ns) / _SECOND
