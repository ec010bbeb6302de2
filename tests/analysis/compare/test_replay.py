from collections import Counter
from collections.abc import Callable

import pytest

from stress.analysis.compare.replay import (
    Replayed,
    ReplayVerdict,
    answer,
    choose,
    clean_needed,
    interleaved,
    permuted,
)
from stress.errors import UsageError
from stress.model.plan import Combination, Role
from stress.model.record import Record
from stress.model.run import Cell, PortCount, Run


@pytest.fixture
def failing(
    recorded: Callable[..., Run], cell: Callable[..., Cell], record: Callable[..., Record]
) -> Run:
    rows = [record(n % 30) for n in range(60)] + [record(99, outcome="eof", address=1)]
    ports = [PortCount(port, 2, 0) for port in range(50_000, 50_010)]
    return recorded(
        [cell(900), cell(100, address=2), cell(60, outcome="reset"), cell(1, outcome="eof")],
        records=rows,
        ports=[*ports, PortCount(40_001, 2, 2)],
    )


def test_as_many_good_combinations_as_failing_ones_are_chosen(failing: Run) -> None:
    chosen = choose(failing, category="reset")
    roles = Counter(one.role for one in chosen)

    assert roles == {Role.FAILED: 20, Role.GOOD: 20}
    assert len({one for one in chosen if one.role is Role.FAILED}) == 20
    assert all(
        one.local_port is not None and one.local_port >= 50_000
        for one in chosen
        if one.role is Role.GOOD
    )
    assert choose(failing, category="reset") == chosen
    assert choose(failing, category="reset", seed=1) != chosen


def test_one_category_can_be_chosen(failing: Run) -> None:
    failed = [one for one in choose(failing, category="eof") if one.role is Role.FAILED]

    assert [one.address for one in failed] == [1]


def test_without_failures_there_is_nothing_to_replay(
    recorded: Callable[..., Run], cell: Callable[..., Cell], failing: Run
) -> None:
    with pytest.raises(UsageError, match="no failure to replay"):
        choose(recorded([cell(10)]))
    with pytest.raises(UsageError, match="no failure of the category 'dns'"):
        choose(failing, category="dns")


def test_only_failures_leave_no_controls(
    recorded: Callable[..., Run], cell: Callable[..., Cell], record: Callable[..., Record]
) -> None:
    chosen = choose(recorded([cell(5, outcome="reset")], records=[record(1), record(2)]))

    assert [one.role for one in chosen] == [Role.FAILED] * 2


def test_rounds_are_interleaved(failing: Run) -> None:
    chosen = choose(failing, category="reset", most=5)
    order = interleaved(chosen, tries=3)

    assert Counter(order) == dict.fromkeys(chosen, 3)
    assert order[:10] != order[10:20]


def tried(failed: list[int], good: list[int], tries: int = 5) -> list[Replayed]:
    return [
        Replayed(Combination(role, 0, 0, None, number), tries, failures)
        for role, results in ((Role.FAILED, failed), (Role.GOOD, good))
        for number, failures in enumerate(results)
    ]


@pytest.mark.parametrize(
    ("failed", "good", "rate", "expected"),
    [
        ([5] * 10, [0] * 10, 1.0, ReplayVerdict.FOLLOWS),
        ([2, 1, 3, 2, 1, 2, 0, 3, 2, 1], [0] * 10, 0.3, ReplayVerdict.PARTLY),
        ([1, 0, 0, 0, 1] * 2, [0, 1, 0, 0, 1] * 2, 1.0, ReplayVerdict.PARTLY),
        ([0] * 10, [0] * 10, 1.0, ReplayVerdict.GONE),
        ([0] * 10, [0] * 10, 0.01, ReplayVerdict.TOO_FEW),
        ([], [0] * 5, 1.0, ReplayVerdict.TOO_FEW),
        ([5], [0], 1.0, ReplayVerdict.PARTLY),
    ],
)
def test_the_combinations_decide(
    failed: list[int], good: list[int], rate: float, expected: ReplayVerdict
) -> None:
    found = answer(tried(failed, good), rate)

    assert found.answer is expected
    assert found.sentence.endswith(".")


def test_a_busy_port_is_not_a_try() -> None:
    assert answer(tried([0, 0], [0], tries=0)).answer is ReplayVerdict.TOO_FEW


def test_the_figures_are_those_of_the_tables() -> None:
    assert [clean_needed(rate) for rate in (0.3, 0.02, 1.0)] == [9, 149, 1]
    assert permuted([1.0] * 10, [0.0] * 10) <= 0.001
    assert permuted([0.5] * 10, [0.5] * 10) > 0.5
    assert permuted([], [1.0]) == 1.0
