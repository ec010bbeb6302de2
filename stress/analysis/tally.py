"""Count the cube once: failures by outcome, address, client, stage and chain."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

from stress.model.outcome import Category, Outcome, Side, Stage
from stress.model.run import Cell


class FailureCount(NamedTuple):
    """Attempts without ours and not-sent, and how many of them failed."""

    attempts: int
    failures: int


@dataclass(frozen=True, slots=True)
class RunCounts:
    """The run in numbers. `attempts` excludes ours and not-sent."""

    attempts: int
    completed: int
    """Attempts whose handshake finished."""
    failures: int
    not_sent: int
    ours: Mapping[str, int]
    """Our own outcomes by name, including `cancelled`."""
    categories: Mapping[str, int]
    """Failures of the target by outcome name, most frequent first."""
    stages: Mapping[str, Mapping[str, int]]
    """Outcome name -> stage label -> failures."""
    addresses: Mapping[int, FailureCount]
    clients: Mapping[int, FailureCount]
    chains: Mapping[str, Mapping[int | None, int]]
    """Outcome name -> chain id (None: no chain was seen) -> failures."""
    good_chains: frozenset[int]
    """Chains that at least one good attempt got."""
    versions: frozenset[int]
    """TLS versions that were negotiated."""
    resumed: int
    """Attempts that resumed a session."""
    last_block: int
    """The last time block with an attempt; -1 when there is none."""

    @property
    def cancelled(self) -> int:
        """Attempts cut off by the end of the run: neither good nor failed."""
        return self.ours.get(Category.CANCELLED, 0)

    @property
    def local(self) -> int:
        """Attempts that failed on our own machine (without the cancelled ones)."""
        return sum(self.ours.values()) - self.cancelled

    def failures_by_chain(self) -> Counter[int]:
        """`SeenChain.id` -> failures of the target in which it was seen, whatever the outcome."""
        failed: Counter[int] = Counter()
        for by_chain in self.chains.values():
            for number, count in by_chain.items():
                if number is not None:
                    failed[number] += count
        return failed


@lru_cache(maxsize=512)
def side_of(outcome: str) -> Side:
    """Who a stored outcome is about."""
    return Outcome.parse(outcome).side


def count(cells: Iterable[Cell]) -> RunCounts:
    """Count all cells of a cube."""
    # Few distinct combinations matter here; summing those first is ten times as fast.
    merged: defaultdict[tuple[Any, ...], int] = defaultdict(int)
    key_of = attrgetter(*_Group._fields)
    last_block = -1
    for cell in cells:
        merged[key_of(cell)] += cell.count
        last_block = max(last_block, cell.block)
    counter = _Counter(last_block)
    for key, number in merged.items():
        counter.add(_Group(*key), number)
    return counter.tally()


class _Group(NamedTuple):
    """Attempts that are alike in what is counted here."""

    outcome: str
    stage: int
    address: int
    client: int
    chain: int | None
    tls_version: int | None
    resumed: bool | None


class _Counter:
    """Sums over the cells."""

    def __init__(self, last_block: int) -> None:
        self.attempts = self.completed = self.not_sent = self.resumed = 0
        self.ours: Counter[str] = Counter()
        self.categories: Counter[str] = Counter()
        self.stages: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.chains: defaultdict[str, Counter[int | None]] = defaultdict(Counter)
        self.addresses: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
        self.clients: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
        self.good_chains: set[int] = set()
        self.versions: set[int] = set()
        self.last_block = last_block

    def add(self, group: _Group, number: int) -> None:
        side = side_of(group.outcome)
        if side is Side.OURS:
            self.ours[group.outcome] += number
        elif side is Side.NOT_SENT:
            self.not_sent += number
        else:
            self._attempt(group, number, failed=side is Side.TARGET)

    def _attempt(self, group: _Group, number: int, *, failed: bool) -> None:
        self.attempts += number
        self.completed += number if group.stage >= Stage.FINISHED else 0
        self.resumed += number if group.resumed else 0
        for counts in (self.addresses[group.address], self.clients[group.client]):
            counts[0] += number
            counts[1] += number if failed else 0
        if group.tls_version is not None:
            self.versions.add(group.tls_version)
        if failed:
            self.categories[group.outcome] += number
            self.stages[group.outcome][Stage(group.stage).label] += number
            self.chains[group.outcome][group.chain] += number
        elif group.chain is not None:
            self.good_chains.add(group.chain)

    def tally(self) -> RunCounts:
        return RunCounts(
            attempts=self.attempts,
            completed=self.completed,
            failures=self.categories.total(),
            not_sent=self.not_sent,
            ours=dict(self.ours.most_common()),
            categories=_ordered(self.categories),
            stages={name: _ordered(self.stages[name]) for name in _ordered(self.categories)},
            addresses={
                index: FailureCount(*counts) for index, counts in sorted(self.addresses.items())
            },
            clients={
                index: FailureCount(*counts) for index, counts in sorted(self.clients.items())
            },
            chains={name: dict(seen) for name, seen in self.chains.items()},
            good_chains=frozenset(self.good_chains),
            versions=frozenset(self.versions),
            resumed=self.resumed,
            last_block=self.last_block,
        )


def _ordered(counter: Counter[str]) -> dict[str, int]:
    """Most frequent first; ties by name, so that the order of the cells changes nothing."""
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))
