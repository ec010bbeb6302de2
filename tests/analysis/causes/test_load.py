from collections import Counter
from collections.abc import Callable
from importlib import import_module
from random import Random
from types import ModuleType

import numpy as np
import pytest

from stress.analysis.causes.causes import explain
from stress.analysis.causes.load import LoadSegment, follows_load, passing_rate, segments
from stress.analysis.limit.search import LimitSearch
from stress.analysis.recording import record
from stress.analysis.tally import count
from stress.model.claims import ClaimSet
from stress.model.limit import Knob, Limit, Standing, Step
from stress.model.plan import Address, Load
from stress.model.plan import Segment as Stretch
from stress.model.run import Cell, Cube, Run
from stress.report.wording.causes import load_words
from tests.analysis.limit.test_search import GOALS, SECOND, queue

LEVELS = np.tile([250.0, 500.0, 750.0, 1000.0, 1250.0], 8)


def run_at(shares: object, seed: int) -> list[LoadSegment]:
    random = np.random.default_rng(seed)
    rates = random.permutation(LEVELS)
    attempts = (rates * 10).astype(int)
    made = shares(rates) if callable(shares) else shares
    failures = random.binomial(attempts, np.broadcast_to(np.asarray(made, dtype=float), 40))
    return [
        LoadSegment(float(r), int(n), int(k))
        for r, n, k in zip(rates, attempts, failures, strict=True)
    ]


def test_a_fault_of_configuration_does_not_follow_the_load() -> None:
    answers = [follows_load(run_at(0.003, seed)) for seed in range(20)]

    # One interval in twenty misses 0, and then nothing is said.
    assert sum(bool(one and one.dependent is False) for one in answers) >= 18
    assert not any(one and one.dependent for one in answers)


def test_overload_does() -> None:
    def sigmoid(rates: np.ndarray[tuple[int], np.dtype[np.float64]]) -> object:
        return 0.2 / (1.0 + np.exp(-(rates - 1000.0) / 60.0))

    answers = [follows_load(run_at(sigmoid, seed)) for seed in range(20)]

    assert all(one and one.dependent for one in answers)


def test_a_deploy_in_the_middle_of_random_rates_is_not_load() -> None:
    late = [follows_load(run_at(np.where(np.arange(40) >= 24, 0.01, 0.0), s)) for s in range(20)]

    assert not any(one and one.dependent for one in late)


def test_a_limit_below_which_nothing_fails_is_load() -> None:
    """All failures at one rate: no finite power of the rate fits, and none is needed."""
    walls = [
        follows_load(run_at(lambda rates: np.where(rates > 1200.0, 0.5, 0.0), s)) for s in (1, 2)
    ]
    rare = [follows_load(run_at(lambda rates: np.where(rates > 900.0, 0.002, 0.0), 3))]

    assert all(one and one.dependent for one in (*walls, *rare))


def test_a_ramp_decides_nothing() -> None:
    """A deploy in the middle of one would be taken for load."""
    rates = np.linspace(100.0, 2000.0, 40)

    assert follows_load([LoadSegment(float(r), 1000, int(r > 1000) * 9) for r in rates]) is None


@pytest.mark.slow
def test_what_a_peak_leaves_behind_counts_as_load(simulate: ModuleType) -> None:
    """A queue fails for longer than it was filled; counted as they came, the rates told nothing."""
    answers = [
        told(simulate, simulate.queues.queue(400.0, 3.0), simulate.queues.varied(480.0, 400.0, s))
        for s in range(6)
    ]

    assert answers == [True] * 6


@pytest.mark.slow
@pytest.mark.parametrize("length_s", [2.0, 15.0, 40.0])
def test_bursts_at_whatever_rate_are_not_load(simulate: ModuleType, length_s: float) -> None:
    random = np.random.default_rng(51)
    answers = [
        told(
            simulate,
            simulate.queues.bursts(random, length_s, 400.0),
            simulate.queues.varied(120.0, 400.0, s),
        )
        for s in range(12)
    ]

    assert answers.count(True) <= 1


def told(simulate: ModuleType, fails: Callable[[float], bool], load: Load) -> bool | None:
    cube = simulate.queues.offer(load, fails, np.random.default_rng(50))
    found = follows_load(segments(load, cube))
    assert found is not None
    return found.dependent


@pytest.mark.parametrize(
    "stretches",
    [
        [],
        [LoadSegment(100.0, 1000, 5)] * 40,
        [LoadSegment(100.0 * n, 1000, 0) for n in range(1, 20)],
        [LoadSegment(100.0 * n, 10, 10) for n in range(1, 20)],
        [LoadSegment(100.0 * n, 1000, 9) for n in range(1, 5)],
    ],
)
def test_too_little_variation_decides_nothing(stretches: list[LoadSegment]) -> None:
    assert follows_load(stretches) is None


def test_segments_are_counted_with_their_rates(cell: Callable[..., Cell]) -> None:
    cells = [
        cell(100),
        cell(10, outcome="reset"),
        cell(5, outcome="local-ports"),
        cell(200, block=1, segment=1),
    ]

    cube = Cube(1_000_000_000, cells)
    planned = Load(segments=(Stretch(100.0, 1.0), Stretch(50.0, 1.0, to=90.0)))

    assert segments(Load(), cube) == (LoadSegment(115.0, 110, 10), LoadSegment(200.0, 200, 0))
    assert segments(planned, cube) == (LoadSegment(100.0, 110, 10), LoadSegment(200.0, 200, 0))


def test_an_erratic_failure_rate_is_not_decided() -> None:
    counts = (1, 50, 3, 40, 2, 60, 1, 30, 5, 45)
    jumps = follows_load([LoadSegment(100.0 * (n % 5 + 1), 100, k) for n, k in enumerate(counts)])

    assert jumps is not None
    assert jumps.dependent is None


def explained(run: Run) -> ClaimSet:
    return explain(record(run), count(run.cube().cells))


def searched(*steps: tuple[float, float, int], **more: object) -> tuple[Limit, ...]:
    """A search that tried these: what was offered, how much of it failed, and how often."""
    tried = tuple(
        Step(rate, 5.0, 1, 0, 0, None, None, Standing.HELD, "", tries=tries)
        for rate, _, tries in steps
    )
    return (Limit("failing<1%", tried, 478.3, 480.9, True, "reset", False, **more),)  # type: ignore[arg-type]


SEARCH = [
    *((50.0, 0.0, 1), (100.0, 0.0, 1), (200.0, 0.0, 2), (400.0, 0.0, 1), (800.0, 0.3, 1)),
    *((565.7, 0.3, 1), (475.7, 0.0, 1), (518.7, 0.3, 1), (496.7, 0.3, 2), (486.1, 0.3, 1)),
    *((480.9, 0.3, 1), (478.3, 0.0, 3), (478.3, 0.0, 1)),
]
"""Eleven loads, most of them within 3% of another."""


def offered(cell: Callable[..., Cell], *, seconds: int = 5) -> list[Cell]:
    """What the search met, one block a second."""
    cells, block = [], 0
    tries = [(rate, share) for rate, share, times in SEARCH for _ in range(times)]
    for segment, (rate, share) in enumerate(tries):
        for _ in range(seconds):
            failed = round(rate * share)
            cells.append(cell(round(rate) - failed, block=block, segment=segment))
            if failed:
                cells.append(cell(failed, block=block, segment=segment, outcome="reset"))
            block += 1
    return cells


def test_the_failures_of_a_search_are_explained_by_the_offered_rate(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    """Not by the times at which it was more; and it does not pass for an experiment."""
    found = explained(recorded(offered(cell), limits=searched(*SEARCH)))
    (cause,) = found.claims

    assert [(one.dimension, one.value) for one in cause.conditions] == [("rate", "481/s or more")]
    assert cause.aliases == ()
    assert cause.recall == 1.0
    assert cause.elsewhere.failures == 0
    assert cause.searched
    assert cause.grade == "suggested"
    assert found.load is None


def test_failures_of_a_concurrency_search_are_explained_by_the_concurrency(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    limits = searched(*SEARCH, knob=Knob.CONCURRENCY)
    (cause,) = explained(recorded(offered(cell), limits=limits)).claims

    assert [one.value for one in cause.conditions] == ["481 at once or more"]
    assert cause.experiment is None


def test_failures_that_follow_no_load_are_not_blamed_on_the_search(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    """A node that fails whatever is offered is told by its address, as ever."""
    cells = [
        cell(count, block=block, segment=block // 2, address=address, outcome=outcome)
        for block in range(2 * len(SEARCH))
        for address, outcome, count in ((0, "ok", 100), (1, "ok", 60), (1, "reset", 40))
    ]
    addresses = (Address("10.0.0.1", 443), Address("10.0.0.2", 443))
    limits = searched(*((rate, 0.0, 1) for rate, _, _ in SEARCH))
    (cause,) = explained(recorded(cells, addresses=addresses, limits=limits)).claims

    assert [one.value for one in cause.conditions] == ["10.0.0.2:443"]
    assert cause.grade == "strong"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_search_against_a_queue_is_explained_by_the_limit_it_found(
    recorded: Callable[..., Run], cell: Callable[..., Cell], seed: int
) -> None:
    """With arrivals at random, so that what was offered cannot be counted to the last per cent."""
    draw, serve = Random(seed), queue(400)
    search, begin, number = LimitSearch(GOALS, start=50, ceiling=4_000), 0, 0
    counts: Counter[tuple[int, int, str]] = Counter()
    while (stretch := search.next_segment()) is not None:
        rows = serve(stretch, draw)
        search.on_records(rows)
        for row in rows:
            counts[begin + (row.due_ns - rows[0].due_ns) // SECOND, number, row.outcome] += 1
        begin, number = begin + int(stretch.seconds) + 1, number + 1
    cells = [cell(n, block=b, segment=s, outcome=o) for (b, s, o), n in counts.items()]
    limit = search.limit()
    (cause,) = explained(recorded(cells, limits=(limit,))).claims

    assert [one.value for one in cause.conditions] == [f"{limit.first_failing:.0f}/s or more"]
    assert cause.inside.failures == cause.total.failures
    assert cause.elsewhere.failures == 0


def test_an_interval_without_zero_is_no_independence() -> None:
    """A weak rise, narrowly measured: within the bounds of "does not depend", and still a rise."""
    rates = [100.0 * (1 + place % 10) for place in range(200)]
    stretches = [LoadSegment(r, 100_000, round(500 * (r / 500.0) ** 0.4)) for r in rates]
    found = follows_load(stretches)

    assert found is not None
    assert 0.0 < found.low < found.high < 0.75
    assert found.dependent is None


@pytest.mark.slow
def test_a_bad_node_beside_a_rising_curve_are_two_facts() -> None:
    structures = import_module("benchmarks.structures")
    found = structures.node_and_load(3, node=0.05, power=2.0)

    assert found.load.dependent is not False
    assert found.load.elsewhere.dependent
    assert {"address"} in [{one.dimension for one in claim.conditions} for claim in found.claims]
    assert load_words(found.load).startswith("Outside the places named above, the failure rate gr")


def by_second(cell: Callable[..., Cell], pairs: list[tuple[int, int]]) -> Cube:
    """One block a second: attempts, and how many of them failed."""
    cells = []
    for block, (attempts, failures) in enumerate(pairs):
        cells += [cell(attempts - failures, block=block)] if attempts > failures else []
        cells += [cell(failures, block=block, outcome="refused")] if failures else []
    return Cube(1_000_000_000, cells)


@pytest.mark.parametrize("seed", range(5))
def test_what_a_limit_lets_through_is_measured_from_chance_arrivals(
    cell: Callable[..., Cell], seed: int
) -> None:
    arrivals = np.random.default_rng(seed).poisson(70.0, 25).tolist()
    limited = by_second(cell, [(n, max(0, n - 45)) for n in arrivals])

    assert passing_rate(Load(None, rate=70.0), limited) == pytest.approx(45.0, abs=1.0)
    assert passing_rate(Load(None), limited) is None


@pytest.mark.parametrize("seed", range(20))
def test_a_share_that_fails_is_no_limit_steady_or_in_bursts(
    cell: Callable[..., Cell], seed: int
) -> None:
    random = np.random.default_rng(seed)
    arrivals = random.poisson(70.0, 25).tolist()
    steady = [(n, int(random.binomial(n, 0.36))) for n in arrivals]
    bursts = [(n, int(random.binomial(n, random.choice([0.1, 0.8])))) for n in arrivals]

    assert passing_rate(Load(None, rate=70.0), by_second(cell, steady)) is None
    assert passing_rate(Load(None, rate=70.0), by_second(cell, bursts)) is None
