"""Failing shares, place by place, each with its interval: the rows behind the bars.

What failed most surely comes first (by the lower end of the interval), so that an address with one
failure in three tries does not stand above one with a thousand in ten thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from stress.analysis.share.rates import clopper_pearson
from stress.analysis.tally import Count, Tally
from stress.model.run import RunFacts, SeenChain
from stress.model.summary import AddressLine, ChainLine, Interval, Summary
from stress.report.page.pairs import failures_by_chain

MOST_ROWS = 200
"""Rows of one table; what is left out is counted in words."""
SHORT_HASH = 12


@dataclass(frozen=True, slots=True)
class Share:
    """One row."""

    name: str
    note: str
    """More about it; may be empty."""
    attempts: int
    failures: int
    interval: Interval

    @property
    def share(self) -> float | None:
        """Failures / attempts; None without attempts."""
        return self.failures / self.attempts if self.attempts else None


@dataclass(frozen=True, slots=True)
class Shares:
    """A table of one dimension."""

    dimension: str
    rows: tuple[Share, ...]
    left_out: int

    @property
    def scale(self) -> float:
        """The share at the right end of the bars: the highest end of an interval."""
        ends = [row.interval.high for row in self.rows if row.attempts]
        return max(ends, default=1.0) or 1.0


def shares(
    summary: Summary, tally: Tally, facts: RunFacts, chains: Sequence[SeenChain]
) -> tuple[Shares, ...]:
    """By address, by client, by chain; a dimension without rows is left out."""
    clients = facts.plan.clients
    return tuple(
        table
        for table in (
            _table("address", (_address(line) for line in summary.addresses)),
            _table(
                "client",
                (
                    _counted(client.name, client.title, tally.clients.get(index, Count(0, 0)))
                    for index, client in enumerate(clients)
                ),
            ),
            _table("chain", map(_chain_row(tally, chains), summary.chains)),
        )
        if table.rows
    )


def _table(dimension: str, rows: Iterable[Share]) -> Shares:
    ordered = sorted(rows, key=lambda row: (-row.interval.low, -row.failures, -row.attempts))
    return Shares(dimension, tuple(ordered[:MOST_ROWS]), max(0, len(ordered) - MOST_ROWS))


def _address(line: AddressLine) -> Share:
    return Share(line.address, line.label or "", line.attempts, line.failures, line.interval)


def _counted(name: str, note: str, counted: Count) -> Share:
    interval = clopper_pearson(counted.failures, counted.attempts)
    return Share(name, note, counted.attempts, counted.failures, interval)


def _chain_row(tally: Tally, chains: Sequence[SeenChain]) -> Callable[[ChainLine], Share]:
    failed = failures_by_chain(tally)
    numbers = {chain.sha256.hex(): chain.id for chain in chains}

    def row(line: ChainLine) -> Share:
        failures = failed.get(numbers.get(line.sha256, -1), 0)
        note = "; ".join(part for part in (line.subject, line.differs) if part)
        return _counted(line.sha256[:SHORT_HASH], note, Count(line.seen, failures))

    return row
