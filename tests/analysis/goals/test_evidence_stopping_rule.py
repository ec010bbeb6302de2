from collections.abc import Callable, Iterable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.analysis.goals.evidence import (
    Blocks,
    ClosedPrefix,
    StoppingRule,
    check_ceiling,
    check_goals,
)
from stress.errors import UsageError
from stress.model.record import Flag, Record
from stress.model.run import Progress

MS = 1_000_000
PROGRESS = Progress(
    elapsed_s=70.0,
    total=None,
    duration_s=900.0,
    started=0,
    ended=0,
    failed=0,
    ours=0,
    not_sent=0,
    chains=2,
    in_flight=0,
    rate=0.0,
    lag_ns=0,
)


@pytest.fixture
def rows(record: Callable[..., Record]) -> Callable[..., list[Record]]:
    """So many attempts, 20 ms after each other; the numbered ones failed."""

    def make(count: int, failed: Iterable[int] = (), **changes: object) -> list[Record]:
        bad = set(failed)
        return [
            record(
                number,
                outcome="reset" if number in bad else "ok",
                started_ns=number * 20 * MS,
                **changes,
            )
            for number in range(count)
        ]

    return make


def reason(keeper: StoppingRule, records: list[Record]) -> str | None:
    keeper.on_records(records)
    return keeper.on_progress(PROGRESS)


@pytest.mark.parametrize(
    ("goals", "count", "failed", "told"),
    [
        (["failures>=3"], 100, range(3), "'failures>=3' reached"),
        (["failures>=3"], 100, range(2), None),
        (["failing<0.1%"], 4_600, (), "'failing<0.1%' reached"),
        (["failing<0.1%"], 4_500, (), None),
        (
            ["failing<1%"],
            400,
            (),
            None,
        ),  # one second of 50 would do, but eight seconds hide an outage
        (["failing<0.1%"], 400, range(0, 400, 13), "'failing<0.1%' refuted"),
        (["failing>1%"], 400, range(30), None),  # one burst is one observation
        (["failing>1%"], 400, range(0, 400, 13), "'failing>1%' reached"),
        (["relative<50%"], 4_000, range(0, 4_000, 20), "'relative<50%' reached"),
        (["clean for 30s"], 2_000, [10], "'clean for 30s' reached"),
        (["clean for 30s"], 2_000, [1_900], None),
        (["clean for 40s"], 2_000, (), None),  # the file counts in blocks, hence a margin
        (["failures>=3", "chains>=5"], 100, range(3), None),
        (["failures>=3", "chains>=2"], 100, range(3), "'failures>=3', 'chains>=2' reached"),
    ],
)
def test_a_run_stops_when_it_has_its_answer(
    goals: list[str],
    count: int,
    failed: Iterable[int],
    told: str | None,
    rows: Callable[..., list[Record]],
) -> None:
    said = reason(StoppingRule(goals, 1), rows(count, failed))

    assert said == (told and f"stopped after 70 s: {told}")


def test_attempts_in_flight_do_not_count_as_good(rows: Callable[..., list[Record]]) -> None:
    """The slow ones are those that fail: without the first attempt, nothing is decided."""
    first, *others = rows(5_000)
    keeper = StoppingRule(["failing<0.1%"], 1)

    assert reason(keeper, others) is None
    assert reason(keeper, [first]) is not None


def test_latencies_are_those_of_good_attempts_after_the_warm_up(
    rows: Callable[..., list[Record]],
) -> None:
    quick = rows(2_000, server_ns=2 * MS)
    slow = [
        each._replace(id=each.id + 2_000, server_ns=900 * MS, flags=Flag.WARM_UP)
        for each in rows(1_000)
    ]

    assert reason(StoppingRule(["p99.server<50ms"], 1), [*quick, *slow]) is not None
    assert reason(StoppingRule(["p99.server<1ms"], 1), quick) is not None
    assert reason(StoppingRule(["p99.server<50ms"], 1), quick[:50]) is None


def test_many_looks_at_a_borderline_rate_rarely_claim_it(
    rows: Callable[..., list[Record]],
) -> None:
    """One run in which exactly every 200th fails: 'below 0.5%' is never claimed on the way."""
    keeper = StoppingRule(["failing<0.5%"], 1)
    told = set()
    records = rows(20_000, range(100, 20_000, 200))
    for begin in range(0, len(records), 500):
        keeper.on_records(records[begin : begin + 500])
        told.add(keeper.on_progress(replace(PROGRESS, elapsed_s=begin / 50)))

    assert told == {None}


@pytest.mark.parametrize(
    ("until", "assertions", "says"),
    [
        (["failing"], [], "no value"),
        (["causes==0"], [], "end of a run"),
        (["failing<1%", "failing>2%"], [], "never both hold"),
        (["failing<1%"], ["failing>2%"], "never both hold"),
        ([], ["speed<2"], "unknown goal"),
    ],
)
def test_bad_goals_are_refused_before_anything_is_sent(
    until: list[str], assertions: list[str], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        check_goals(until, assertions)


@pytest.mark.parametrize("goal", ["failing<1% for 20m", "clean for 20m"])
def test_a_goal_that_takes_longer_than_the_run_is_refused(goal: str) -> None:
    check_ceiling([goal], 1200.0)
    check_ceiling([goal], None)
    with pytest.raises(UsageError, match=r"takes 1200 s, and the run ends after 900 s"):
        check_ceiling([goal], 900.0)


def test_good_goals_pass() -> None:
    check_goals(["failures>=20", "clean for 10m"], ["causes==0", "chains==1"])


def test_slow_handshakes_in_one_burst_do_not_refute_a_percentile(
    rows: Callable[..., list[Record]],
) -> None:
    """Two hundred slow ones of 5,000: one after the other, and then evenly spread."""
    burst, spread = (
        [each._replace(server_ns=(900 if each.id in slow else 2) * MS) for each in rows(5_000)]
        for slow in (range(2_000, 2_200), range(0, 5_000, 25))
    )

    assert reason(StoppingRule(["p99.server<50ms"], 1), burst) is None
    told = reason(StoppingRule(["p99.server<50ms"], 1), spread)
    assert told == "stopped after 70 s: 'p99.server<50ms' refuted"


def test_a_limit_for_a_time_is_not_reached_before(rows: Callable[..., list[Record]]) -> None:
    assert reason(StoppingRule(["failing<0.5% for 2m"], 1), rows(5_900)) is None
    assert reason(StoppingRule(["failing<0.5% for 2m"], 1), rows(6_001)) is not None


@pytest.mark.long
@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 3)), max_size=50))
def test_blocks_lose_nothing_when_they_widen(added: list[tuple[int, int]]) -> None:
    blocks = Blocks()
    for second, hits in added:
        blocks.add(second * S, hits, 5)
    for second in range(1_200):
        blocks.add(second * S, 0)

    worth = blocks.worth
    assert (worth.failures, worth.attempts) == (
        sum(hits for _, hits in added),
        5 * len(added) + 1_200,
    )


S = 1_000_000_000


def test_an_attempt_counts_when_all_before_it_have_ended(record: Callable[..., Record]) -> None:
    prefix = ClosedPrefix(1)
    prefix.take([record(1, outcome="ok"), record(2, outcome="ok")])
    waiting = (prefix.attempts, prefix.failures)
    prefix.take([record(0, outcome="timeout-handshake")])

    assert waiting == (0, 0)
    assert (prefix.attempts, prefix.failures) == (3, 1)


def test_a_slow_attempt_holds_up_its_own_worker_only(record: Callable[..., Record]) -> None:
    prefix = ClosedPrefix(2)
    closed = prefix.take([record(number, outcome="ok") for number in (0, 2, 4, 3, 5)])

    assert [each.id for each in closed] == [0, 2, 4]


@pytest.mark.parametrize(
    ("outcome", "attempts", "failures"),
    [("ok", 1, 0), ("reset", 1, 1), ("alert-40", 1, 1), ("local-ports", 0, 0), ("not-sent", 0, 0)],
)
def test_our_own_failures_are_not_attempts(
    outcome: str, attempts: int, failures: int, record: Callable[..., Record]
) -> None:
    prefix = ClosedPrefix(1)
    closed = prefix.take([record(0, outcome=outcome)])

    assert len(closed) == 1
    assert (prefix.attempts, prefix.failures) == (attempts, failures)


def test_a_continued_run_begins_with_its_first_id(record: Callable[..., Record]) -> None:
    prefix = ClosedPrefix(2, first_id=100)
    prefix.take([record(100, outcome="ok"), record(101, outcome="ok")])

    assert prefix.attempts == 2


def test_time_is_that_of_the_worker_that_is_furthest_behind(
    record: Callable[..., Record],
) -> None:
    prefix = ClosedPrefix(2)
    alone = prefix.take([record(0, outcome="reset", started_ns=10 * S)])
    unknown = prefix.elapsed_s
    prefix.take([record(2, outcome="ok", started_ns=20 * S)])
    prefix.take([record(1, outcome="ok", started_ns=13 * S)])

    assert alone
    assert unknown == 0.0
    assert prefix.elapsed_s == prefix.clean_s == 3.0


@given(st.integers(1, 5), st.integers(0, 60), st.integers(0, 2**32))
def test_the_order_in_which_attempts_end_does_not_matter(
    workers: int, count: int, seed: int
) -> None:
    """Counted against the same rows in the order of their starts."""
    random = Random(seed)
    blank = dict.fromkeys(Record._fields)
    rows = [
        Record(**{**blank, "id": number, "started_ns": number, "outcome": outcome})  # type: ignore[arg-type]  # only these are read
        for number, outcome in enumerate(random.choices(["ok", "reset", "cancelled"], k=count))
    ]
    mixed = ClosedPrefix(workers)
    for row in random.sample(rows, count):
        mixed.take([row])

    assert mixed.attempts == sum(row.outcome != "cancelled" for row in rows)
    assert mixed.failures == sum(row.outcome == "reset" for row in rows)
