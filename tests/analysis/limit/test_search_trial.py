from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from stress.analysis.goals.goal import parse_goals
from stress.analysis.limit.search import Trial, judge_goal
from stress.model.record import Flag, Record

SECOND = 1_000_000_000
QUICK, FAILING = parse_goals(["p99.total<250ms", "failing<1%"])
BLANK = Record(**dict.fromkeys(Record._fields))  # type: ignore[arg-type]  # filled in below


def row(at_s: float, total_ms: float, outcome: str = "ok", **more: Any) -> Record:
    known: dict[str, Any] = {
        "due_ns": int(at_s * SECOND),
        "started_ns": int(at_s * SECOND),
        "flags": 0,
    }
    return BLANK._replace(outcome=outcome, total_ns=int(total_ms * 1e6), **{**known, **more})


def trial_of(*rows: Record) -> Trial:
    trial = Trial()
    for one in rows:
        trial.take(one, (QUICK, FAILING))
    return trial


def blocks(*pairs: tuple[int, int]) -> list[Counter[str]]:
    return [Counter({"attempts": attempts, QUICK.text: missed}) for attempts, missed in pairs]


@pytest.mark.parametrize(
    ("rows", "gave_way"),
    [
        ([row(1, 900, connect_ns=800_000_000, server_ns=1)], "slow-connect"),
        ([row(1, 900, connect_ns=1, server_ns=800_000_000)], "slow-answer"),
        ([row(1, 900, connect_ns=1, server_ns=1)], "slow"),
        ([row(1, 900, server_ns=800_000_000), row(1, 1, "reset")], "reset"),
        ([row(1, 90, server_ns=80_000_000)], "slow-answer"),
        ([], "slow"),
    ],
)
def test_what_gave_way_is_what_failed_or_where_time_was_lost(
    rows: list[Record], gave_way: str
) -> None:
    assert trial_of(*rows).gave_way() == gave_way


def test_the_first_second_is_a_warm_up_unless_there_is_nothing_else() -> None:
    early, late = row(0.2, 1, "reset"), row(2.5, 1)

    assert trial_of(early, late).total("failed") == 0
    assert trial_of(early, late).total("attempts") == 1
    assert trial_of(early).total("failed") == 1


@pytest.mark.parametrize(
    "rows",
    [
        [row(1, 300, started_ns=SECOND + 90_000_000)],
        [row(1, 300, lag_ns=90_000_000)],
        [row(1, 1, "not-sent", flags=Flag.LOCAL_PRESSURE)],
        [row(1, 1, "local-ports")],
    ],
)
def test_delays_of_our_own_are_not_the_targets(rows: list[Record]) -> None:
    trial = trial_of(*rows)

    assert trial.doubt() is not None
    assert trial.total(QUICK.text) == 0


@pytest.mark.parametrize(
    ("canaries_ms", "doubted"),
    [
        ([5] * 10, False),
        ([5] * 9 + [150], False),
        ([5] * 8 + [150, 300], True),
        ([5] * 8 + [150, None], True),
        ([5] * 18 + [150, None], False),
        ([None] * 10, False),
    ],
)
def test_slow_canaries_mean_that_this_machine_is_slow(
    canaries_ms: list[int | None], doubted: bool
) -> None:
    trial = trial_of(row(1, 900))
    trial.canaries_ns += [None if ms is None else ms * 1_000_000 for ms in canaries_ms]

    assert (trial.doubt() is not None) is doubted


def test_a_failure_counts_though_we_were_late_ourselves() -> None:
    trial = trial_of(row(1, 300, "reset", lag_ns=90_000_000))

    assert trial.total("failed") == trial.total(FAILING.text) == 1


@pytest.mark.parametrize(("unsent", "overflowed"), [(1, False), (2, True)])
def test_more_than_one_percent_not_sent_is_an_overflow(unsent: int, overflowed: bool) -> None:
    sent = [row(1, 1)] * (100 - unsent)

    assert trial_of(*sent, *[row(1, 1, "not-sent")] * unsent).overflowed() is overflowed


@pytest.mark.parametrize(
    ("counted", "holds", "sure"),
    [
        (blocks((2_000, 0)), True, True),
        (blocks((2_000, 60)), False, True),
        (blocks((100, 0)), True, False),
        (blocks((100, 1)), None, False),
    ],
)
def test_a_goal_holds_by_the_figures_or_by_the_benefit_of_the_doubt(
    counted: list[Counter[str]], holds: bool | None, sure: bool
) -> None:
    assert judge_goal(QUICK, counted, last=False, strict=False)[:2] == (holds, sure)


def test_the_last_try_is_decided_by_what_was_seen() -> None:
    assert judge_goal(QUICK, blocks((1_000, 9)), last=True, strict=True)[:2] == (True, False)
    assert judge_goal(QUICK, blocks((1_000, 11)), last=True, strict=True)[:2] == (False, False)


def test_misses_in_one_burst_prove_less_than_spread_ones() -> None:
    """As many, once in each second and once all in one: the design effect."""
    spread = blocks(*[(100, 3)] * 20)
    burst = blocks((100, 60), *[(100, 0)] * 19)

    assert judge_goal(QUICK, spread, last=False, strict=False).holds is False
    assert judge_goal(QUICK, burst, last=False, strict=False).holds is None


@pytest.mark.parametrize(("server_ns", "targets"), [(4_000_000_000, True), (5_000_000, False)])
def test_whose_time_it_was_is_told_apart(server_ns: int, targets: bool) -> None:
    """Both take 200 ms of ours; beside 4 s of the target's that is nothing."""
    trial, blank = Trial(), Record(**dict.fromkeys(Record._fields))  # type: ignore[arg-type]
    for number in range(50):
        trial.take(
            blank._replace(
                due_ns=number, started_ns=number, outcome="ok", flags=0, lag_ns=200_000_000,
                server_ns=server_ns, handshake_ns=server_ns, total_ns=server_ns + 200_000_000,
            ),
            (),
        )  # fmt: skip

    assert trial.doubt() is not None
    assert trial.targets_time is targets
