"""Which failures are replayed with the whole load, and what its rows then say."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from stress.analysis.compare.replay import ReplayVerdict, conclude, load_may_decide, replay_of
from stress.errors import UsageError
from stress.model.plan import Replay
from stress.model.record import Record
from stress.model.run import Cell, Run
from stress.planning.request import Request
from stress.report.summary import summarize
from stress.runner.again import plan_replay

REPLAY = Replay("lab", (), 1, 0.0, ("reset",), 0.2)


@pytest.mark.parametrize(
    ("outcomes", "expected", "words"),
    [
        ({"reset": 30, "ok": 70}, ReplayVerdict.FOLLOWS, "still makes connections fail"),
        ({"reset": 2, "ok": 98}, ReplayVerdict.PARTLY, "below 20%: 2 of 100"),
        ({"ok": 100}, ReplayVerdict.GONE, "No longer failing at the recorded load: 0 of 100"),
        ({"ok": 13}, ReplayVerdict.TOO_FEW, "it takes 14 tries to tell: 0 of 13"),
        ({"ok": 80, "not-sent": 20}, ReplayVerdict.TOO_FEW, "the load was not reproduced"),
        ({"ok": 40, "refused": 60}, ReplayVerdict.TOO_FEW, "now fails differently"),
        ({"cancelled": 9}, ReplayVerdict.TOO_FEW, "not reproduced"),
    ],
)
def test_the_rows_of_the_load_decide(
    outcomes: dict[str, int],
    expected: ReplayVerdict,
    words: str,
    record: Callable[..., Record],
) -> None:
    names = [name for name, count in outcomes.items() for _ in range(count)]

    found = conclude(REPLAY, [record(number, outcome=name) for number, name in enumerate(names)])

    assert found.answer is expected
    assert words in found.sentence


@pytest.fixture
def one_in_five(recorded: Callable[..., Run], cell: Callable[..., Cell]) -> Callable[..., Run]:
    """A fifth of the connections ends so, whatever is chosen about them."""

    def make(outcome: str, good: int = 400) -> Run:
        return recorded(
            [cell(good), cell(100, outcome=outcome)] if good else [cell(100, outcome=outcome)]
        )

    return make


@pytest.mark.parametrize(
    ("outcome", "good", "expected"),
    [
        ("reset", 400, True),
        ("timeout-connect", 400, True),
        ("expired-leaf", 400, False),  # a chain decides
        ("refused", 0, False),  # the first one failed, too
    ],
)
def test_load_may_decide_what_no_chain_and_no_choice_of_ours_does(
    outcome: str, good: int, expected: bool, one_in_five: Callable[..., Run]
) -> None:
    assert load_may_decide(summarize(one_in_five(outcome, good)), None) is expected


def test_the_rate_to_refute_is_the_lower_end_of_the_interval(
    one_in_five: Callable[..., Run],
) -> None:
    run = one_in_five("reset")
    summary = summarize(run)

    found = replay_of(run, summary, gap_s=1.0)

    assert found.at_load
    assert found.rate == summary.failures.interval.low < 0.2
    assert found.endings == ("reset",)


def test_the_load_of_a_search_is_not_replayed_but_the_command_is_told(
    one_in_five: Callable[..., Run], recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    plan = replace(one_in_five("reset").facts().plan, find_limit="failing<3%")
    run = recorded([cell(400), cell(100, outcome="reset")], plan=plan)

    with pytest.raises(UsageError, match="may depend on the load") as refused:
        plan_replay(run, Request(), cause=None, tries=3, gap_s=0.0)

    assert "--find-limit 'failing<3%'" in str(refused.value.hint)
