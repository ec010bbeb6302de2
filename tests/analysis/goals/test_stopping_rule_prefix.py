from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.analysis.goals.stopping_rule import ClosedPrefix
from stress.model.record import Record

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
def test_what_is_no_attempt_is_passed_over(
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
