"""Count the cube once: failures by outcome, address, client, stage and chain."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any, TypeVar

from stress.model.claims import FailureCount
from stress.model.outcome import NOT_SENT, Category, Side, Stage, kind_of
from stress.model.run import Cell, cell_reader


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
    offered: int
    """Attempts that offered a session."""
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


Key = TypeVar("Key")


def counted_by(cells: Iterable[Cell], key: Callable[[Cell], Key]) -> dict[Key, FailureCount]:
    """Attempts and failures of the target by what the key reads; without ours and not-sent."""
    # Summed by outcome first: of those there are few, and there may be a million cells.
    sums: defaultdict[tuple[str, Key], int] = defaultdict(int)
    for cell in cells:
        sums[cell.outcome, key(cell)] += cell.count
    attempts: defaultdict[Key, int] = defaultdict(int)
    failures: defaultdict[Key, int] = defaultdict(int)
    for (outcome, name), number in sums.items():
        side = side_of(outcome)
        if side in {Side.NOBODY, Side.TARGET}:
            attempts[name] += number
            failures[name] += number if side is Side.TARGET else 0
    return {name: FailureCount(failures[name], count) for name, count in attempts.items()}


@lru_cache(maxsize=512)
def side_of(outcome: str) -> Side:
    """Who a stored outcome is about."""
    return kind_of(outcome).side


_COUNTED = attrgetter("outcome", "stage", "address", "client", "chain", "tls_version", "resumed")
_offered = cell_reader("offered")


def count(cells: Iterable[Cell]) -> RunCounts:
    """Count all cells of a cube."""
    # Few distinct combinations matter here; summing those first is ten times as fast.
    groups: Counter[tuple[Any, ...]] = Counter()
    last_block = -1
    for cell in cells:
        groups[*_COUNTED(cell), _offered(cell)] += cell.count
        last_block = max(last_block, cell.block)
    ours: Counter[str] = Counter()
    stages: defaultdict[str, Counter[str]] = defaultdict(Counter)
    chains: defaultdict[str, Counter[int | None]] = defaultdict(Counter)
    # Failures and attempts, by index.
    addresses: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
    clients: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
    good_chains: set[int | None] = set()
    versions: set[int | None] = set()
    completed = resumptions = offers = 0
    for group, number in groups.items():
        outcome, stage, address, client, chain, version, resumed, offered = group
        side = side_of(outcome)
        if side in {Side.OURS, Side.NOT_SENT}:
            ours[outcome] += number
            continue
        completed += number if Stage(stage).order >= Stage.FINISHED.order else 0
        resumptions += number if resumed else 0
        offers += number if offered else 0
        versions.add(version)
        for both in (addresses[address], clients[client]):
            both[0] += number if side is Side.TARGET else 0
            both[1] += number
        if side is Side.TARGET:
            stages[outcome][Stage(stage).label] += number
            chains[outcome][chain] += number
        else:
            good_chains.add(chain)
    categories = _ordered({name: seen.total() for name, seen in stages.items()})
    return RunCounts(
        attempts=sum(attempts for _, attempts in addresses.values()),
        completed=completed,
        failures=sum(categories.values()),
        not_sent=ours.pop(NOT_SENT.name, 0),
        ours=dict(ours.most_common()),
        categories=categories,
        stages={name: _ordered(stages[name]) for name in categories},
        addresses={index: FailureCount(*both) for index, both in sorted(addresses.items())},
        clients={index: FailureCount(*both) for index, both in sorted(clients.items())},
        chains={name: dict(seen) for name, seen in chains.items()},
        good_chains=frozenset(one for one in good_chains if one is not None),
        versions=frozenset(one for one in versions if one is not None),
        resumed=resumptions,
        offered=offers,
        last_block=last_block,
    )


def _ordered(counter: Mapping[str, int]) -> dict[str, int]:
    """Most frequent first; ties by name, so that the order of the cells changes nothing."""
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))
