"""What many attempts share, interned: one number for each distinct combination."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from operator import itemgetter

from stress.model.outcome import Outcome, Side
from stress.model.record import Flag, Record

_FIELDS = (
    "address",
    "source",
    "client",
    "outcome",
    "stage",
    "chain",
    "tls_version",
    "cipher",
    "key_group",
    "alpn",
    "resumed",
    "segment",
    "flags",
)
_KEY = itemgetter(*(Record._fields.index(field) for field in _FIELDS))


class Treatment(IntEnum):
    """How attempts with an attribute are counted."""

    LEFT_OUT = 0
    """Ours: in no count of ports and in no histogram."""
    GOOD = 1
    FAILED = 2
    """By the target's doing."""
    WAITED = 3
    """Not sent: its wait is a failure's total latency."""
    GOOD_WARMING = 4
    """Good, but during the warm-up: left out of latency."""
    FAILED_WARMING = 5

    @classmethod
    def of(cls, outcome: str, flags: int) -> Treatment:
        """How an outcome with these flags is counted.

        Raises:
            ValueError: the outcome is none of the contract's.
        """
        side = Outcome.parse(outcome).side
        if side is Side.OURS:
            return cls.LEFT_OUT
        if side is Side.NOT_SENT:
            return cls.LEFT_OUT if flags & Flag.WARM_UP else cls.WAITED
        good = side is Side.NOBODY
        if flags & Flag.WARM_UP:
            return cls.GOOD_WARMING if good else cls.FAILED_WARMING
        return cls.GOOD if good else cls.FAILED


FAILURES = frozenset({Treatment.FAILED, Treatment.FAILED_WARMING})
"""Treatments of failures of the target."""


class Attributes:
    """Numbers combinations in the order of their first sight, from 0."""

    def __init__(self) -> None:
        self._ids: dict[tuple[object, ...], int] = {}
        self.treatments: list[Treatment] = []
        """How attempts are counted, by attribute."""
        self.fresh: list[tuple[int, Record]] = []
        """Attributes not yet written, each with a record that has it. Whoever writes them clears
        the list."""

    def number(self, records: Sequence[Record]) -> list[int]:
        """The attribute of each record."""
        keys = list(map(_KEY, records))
        try:
            return [self._ids[key] for key in keys]
        except KeyError:
            return [self._intern(key, record) for key, record in zip(keys, records, strict=True)]

    def _intern(self, key: tuple[object, ...], record: Record) -> int:
        number = self._ids.get(key)
        if number is None:
            number = self._ids[key] = len(self._ids)
            self.treatments.append(Treatment.of(record.outcome, record.flags))
            self.fresh.append((number, record))
        return number
