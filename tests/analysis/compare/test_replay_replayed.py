from collections.abc import Callable
from dataclasses import replace

import pytest

from stress.analysis.compare.replay import (
    ReplayVerdict,
    conclude,
    failing_first,
    replay_of,
    replayed,
)
from stress.errors import UsageError
from stress.model.plan import Combination, Replay, Role
from stress.model.record import Record
from stress.model.run import Cell, Run
from stress.report.summary import summarize

FAILED = tuple(Combination(Role.FAILED, 0, 0, None, 40_000 + n) for n in range(10))
GOOD = tuple(Combination(Role.GOOD, 0, 0, None, 50_000 + n) for n in range(10))
REPLAY = Replay("lab", (*FAILED, *GOOD) * 3, 3, 1.0, ("reset",), 1.0)


@pytest.fixture
def rows(record: Callable[..., Record]) -> Callable[..., list[Record]]:
    """The rows of a replay: how the failing and how the good combinations ended."""

    def make(failed: str, good: str) -> list[Record]:
        return [
            record(number, outcome=failed if one.role is Role.FAILED else good)
            for number, one in enumerate(REPLAY.order)
        ]

    return make


@pytest.mark.parametrize(
    ("failed", "good", "expected", "words"),
    [
        ("reset", "ok", ReplayVerdict.FOLLOWS, "follows the combination"),
        ("ok", "ok", ReplayVerdict.GONE, "No longer failing"),
        ("reset", "reset", ReplayVerdict.PARTLY, "not tied to these combinations"),
        ("refused", "refused", ReplayVerdict.TOO_FEW, "60 of 60 tries ended with refused"),
        ("eof", "ok", ReplayVerdict.TOO_FEW, "30 of 60 tries ended with eof"),
        ("local-ports", "ok", ReplayVerdict.TOO_FEW, "30 tries failed on this machine"),
        ("cancelled", "cancelled", ReplayVerdict.TOO_FEW, "No failing combination could be tried"),
    ],
)
def test_the_rows_decide(
    failed: str, good: str, expected: ReplayVerdict, words: str, rows: Callable[..., list[Record]]
) -> None:
    found = conclude(REPLAY, rows(failed, good))

    assert found.answer is expected
    assert words in found.sentence


def test_the_server_that_fails_again_is_named(rows: Callable[..., list[Record]]) -> None:
    """A balancer gave 6 of 60 tries to node-2; of three it is not known who answered."""
    found = rows("ok", "ok")
    tries = [
        row._replace(backend="node-2", outcome="reset") if row.id < 6
        else row._replace(backend="node-1" if row.id > 8 else None)
        for row in found
    ]  # fmt: skip

    sentence = conclude(REPLAY, tries).sentence

    assert (
        "Of the tries known to have met backend node-2 6 of 6 (100%) failed again; of 51 known to "
        "have met another, none."
    ) in sentence
    both = [row._replace(outcome="reset") if row.id == 20 else row for row in tries]
    assert "known to have met" not in conclude(REPLAY, both).sentence


def test_rows_are_counted_for_their_combination(rows: Callable[..., list[Record]]) -> None:
    records = [row for row in rows("reset", "ok") if row.id != 0]
    found = replayed(REPLAY, [*records, records[0]._replace(id=999)])

    assert [(one.tries, one.failures) for one in found[:2]] == [(2, 2), (3, 3)]
    assert len(found) == 20
    assert [one.combination.role for one in failing_first(found)][:10] == [Role.FAILED] * 10
    assert failing_first(found)[0].failures == 3


@pytest.fixture
def failing(
    recorded: Callable[..., Run], cell: Callable[..., Cell], record: Callable[..., Record]
) -> Run:
    """One of two clients met an expired chain, a fifth of them."""
    return recorded(
        [cell(500), cell(400, client=1), cell(100, client=1, outcome="expired-leaf")],
        records=[record(number * 10, client=1, outcome="expired-leaf") for number in range(100)],
        plan=replace(
            recorded([]).facts().plan,
            clients=(
                recorded([]).facts().plan.clients[0],
                replace(recorded([]).facts().plan.clients[0], name="old"),
            ),
        ),
    )


def test_a_cause_is_replayed_with_its_own_rate(failing: Run) -> None:
    summary = summarize(failing)
    found = replay_of(failing, summary, gap_s=2.0, cause=1)

    assert summary.causes[0].conditions[0].value == "old"
    assert (found.run, found.rounds, found.gap_s) == ("lab", 3, 2.0)
    assert found.endings == ("expired-leaf",)
    assert found.rate == pytest.approx(0.2)
    assert found.cause == summary.causes[0].sentence
    assert {one.client for one in found.order if one.role is Role.FAILED} == {1}


def test_rare_failures_are_replayed_with_more_combinations(failing: Run) -> None:
    rare = replace(summarize(failing), failures=replace(summarize(failing).failures, share=0.001))
    found = replay_of(failing, rare, gap_s=1.0)

    assert found.cause == ""
    assert found.round_size == 200


def test_a_cause_that_is_not_there_is_explained(
    failing: Run, recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    with pytest.raises(UsageError, match="no cause 4 of failures: it has 1"):
        replay_of(failing, summarize(failing), gap_s=1.0, cause=4)
    clean = recorded([cell(50)])
    with pytest.raises(UsageError, match="it has none"):
        replay_of(clean, summarize(clean), gap_s=1.0, cause=1)
    with pytest.raises(UsageError, match="no failure to replay"):
        replay_of(clean, summarize(clean), gap_s=1.0)
