"""Count the cube once: failures by outcome, address, client, stage and chain."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, TypeVar

from stress.model.claims import FailureCount
from stress.model.outcome import NOT_SENT, Category, Side, Stage, side_of
from stress.model.run import Cell, Cells, cell_reader


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
        """Attempts that failed on this machine, or at a proxy (without the cancelled ones)."""
        return sum(self.ours.values()) - self.cancelled

    @property
    def at_proxy(self) -> int:
        """Those of them that got no tunnel through a proxy."""
        return sum(count for name, count in self.ours.items() if Category(name).is_proxys)

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
    attempts: defaultdict[Key, int] = defaultdict(int)
    failures: defaultdict[Key, int] = defaultdict(int)
    for kind, number in Cells.of_cells(cells).by_kind():
        side = side_of(kind.outcome)
        if side in {Side.NOBODY, Side.TARGET}:
            name = key(kind)
            attempts[name] += number
            failures[name] += number if side is Side.TARGET else 0
    return {name: FailureCount(failures[name], count) for name, count in attempts.items()}


def by_block(cells: Iterable[Cell], key: Callable[[Cell], Key]) -> Mapping[tuple[int, Key], int]:
    """Attempts by time block and by what the key reads, in the order of the blocks."""
    import numpy as np  # noqa: PLC0415 - a live view counts no blocks

    own, keys = Cells.of_cells(cells), dict[Key, int]()
    of_kind = [keys.setdefault(key(kind), len(keys)) for kind in own.kinds]
    if not of_kind:
        return {}
    codes = np.asarray(own.blocks) * len(keys) + np.asarray(of_kind)[np.asarray(own.of)]
    counts = np.asarray(own.counts)
    met = np.unique(codes[counts > 0]) if codes.max() > len(codes) else None
    if met is not None and not len(met):
        return {}
    places = codes if met is None else np.searchsorted(met, codes).clip(max=len(met) - 1)
    sums = np.bincount(places, counts).astype(np.int64)
    names = list(keys)
    return {
        (code // len(names), names[code % len(names)]): count
        for code, count in zip(
            range(len(sums)) if met is None else met.tolist(), sums.tolist(), strict=True
        )
        if count
    }


def parted(cells: Iterable[Cell], key: Callable[[Cell], Key]) -> Mapping[Key, Cells]:
    """The cells by what the key reads, in the order of their first ones."""
    import numpy as np  # noqa: PLC0415 - as in `by_block`

    own, keys = Cells.of_cells(cells), dict[Key, int]()
    of_kind = [keys.setdefault(key(kind), len(keys)) for kind in own.kinds]
    if not of_kind:
        return {}
    of = np.asarray(own.of)
    parts = np.asarray(of_kind)[of]
    order = np.argsort(parts, kind="stable")
    ends = np.cumsum(np.bincount(parts, minlength=len(keys)))
    return {
        name: chosen(own, rows) for name, rows in zip(keys, np.split(order, ends[:-1]), strict=True)
    }


def chosen(cells: Cells, rows: Any) -> Cells:
    """These cells only, by their places or by a mask."""
    import numpy as np  # noqa: PLC0415 - as in `by_block`

    kinds, of = np.unique(np.asarray(cells.of)[rows], return_inverse=True)
    columns = (np.asarray(cells.blocks)[rows], of, np.asarray(cells.counts)[rows])
    return Cells(
        [cells.kinds[kind] for kind in kinds.tolist()],
        *(array("q", one.astype(np.int64).tobytes()) for one in columns),
    )


_offered = cell_reader("offered")


def count(cells: Iterable[Cell]) -> RunCounts:
    """Count all cells of a cube."""
    own = Cells.of_cells(cells)
    ours: Counter[str] = Counter()
    stages: defaultdict[str, Counter[str]] = defaultdict(Counter)
    chains: defaultdict[str, Counter[int | None]] = defaultdict(Counter)
    good_chains: set[int | None] = set()
    versions: set[int | None] = set()
    completed = resumptions = offers = 0
    for kind, number in own.by_kind():
        outcome, stage, chain = kind.outcome, kind.stage, kind.chain
        offered: Any = _offered(kind)
        side = side_of(outcome)
        if side in {Side.OURS, Side.NOT_SENT}:
            ours[outcome] += number
            continue
        completed += number if Stage(stage).order >= Stage.FINISHED.order else 0
        resumptions += number if kind.resumed else 0
        offers += number if offered else 0
        versions.add(kind.tls_version)
        if side is Side.TARGET:
            stages[outcome][Stage(stage).label] += number
            chains[outcome][chain] += number
        else:
            good_chains.add(chain)
    categories = _ordered({name: seen.total() for name, seen in stages.items()})
    addresses = dict(sorted(counted_by(own, attrgetter("address")).items()))
    return RunCounts(
        attempts=sum(one.attempts for one in addresses.values()),
        completed=completed,
        failures=sum(categories.values()),
        not_sent=ours.pop(NOT_SENT.name, 0),
        ours=dict(ours.most_common()),
        categories=categories,
        stages={name: _ordered(stages[name]) for name in categories},
        addresses=addresses,
        clients=dict(sorted(counted_by(own, attrgetter("client")).items())),
        chains={name: dict(seen) for name, seen in chains.items()},
        good_chains=frozenset(one for one in good_chains if one is not None),
        versions=frozenset(one for one in versions if one is not None),
        resumed=resumptions,
        offered=offers,
        last_block=max(own.blocks, default=-1),
    )


def _ordered(counter: Mapping[str, int]) -> dict[str, int]:
    """Most frequent first; ties by name, so that the order of the cells changes nothing."""
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))
