"""Records that are not ours (`tls-stress isolate`), as columns: there may be millions of rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RecordSource:
    """Where records come from that are not ours, and how they were read (`stress.records`)."""

    files: tuple[str, ...]
    failed: str
    """What tells a failed row, as it was given."""
    rows: int
    """Rows that were read, also those that are left out."""
    attempts: int
    """What the rows count for: as many as there are, unless a column says how many each is."""
    time: str = ""
    """The column of the time; empty: none."""
    port: str = ""
    """The column of the local port; empty: none."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Columns that are no dimension, each with the reason."""
    how: tuple[str, ...] = ()
    """How columns were understood, such as `times are Unix ms`."""


@dataclass(frozen=True, slots=True)
class RecordColumn:
    """A dimension of all rows of a `RecordTable`."""

    name: str
    """Of the dimension."""
    values: tuple[str, ...]
    """By code, from 1 on; 0 is "no value"."""
    codes: bytes
    """One byte for each row."""
    distinct: int
    """Values that the column had; those that are not in `values` are "no value" here."""


@dataclass(frozen=True, slots=True)
class RecordTable:
    """Records that are not ours, counted by distinct values, as columns: there may be millions."""

    blocks: bytes
    """Time block of each row, unsigned 16-bit integers of this machine's byte order."""
    outcomes: bytes
    """By row, an index into `names`."""
    names: tuple[str, ...]
    """Outcomes; the first is `ok`."""
    counts: bytes
    """How many attempts each row is, signed 64-bit integers; empty: each is one."""
    columns: tuple[RecordColumn, ...]
    took: RecordColumn | None = None
    """How long each good attempt took, in nanoseconds; None: no column says it."""
