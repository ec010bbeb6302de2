from collections.abc import Callable

from stress.analysis.findings import examine
from stress.analysis.goals.goal import parse_goals
from stress.model.claims import Basis, Explanation, Silence
from stress.model.run import Cell, End, Run
from stress.model.summary import Answer


def test_a_failing_run_has_claims_and_no_sentences(leaf_alone: Run) -> None:
    found = examine(leaf_alone)
    (claim,) = found.explanation.failing

    assert found.verdict is Answer.FAILING
    assert claim.basis is Basis.CHAIN
    assert found.explanation.unexplained.silence is None


def test_without_an_attempt_nothing_is_searched(recorded: Callable[..., Run]) -> None:
    found = examine(recorded([]))

    assert found.verdict is Answer.INVALID
    assert found.explanation == Explanation()
    assert found.detectable == 1.0


def test_what_a_watched_run_shows_holds_at_any_time(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    stopped = examine(recorded([cell(1000)], end=End.STOPPED))

    assert stopped.bound > stopped.detectable


def test_goals_alone_decide(leaf_alone: Run) -> None:
    assert examine(leaf_alone, parse_goals(["failing<1%"])).verdict is Answer.CLEAN


def test_failures_without_a_cause_say_why(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    found = examine(recorded([cell(5, outcome="reset")])).explanation

    assert found.claims == ()
    assert found.unexplained.failures == 5
    assert found.unexplained.silence is Silence.ALL_FAILED
