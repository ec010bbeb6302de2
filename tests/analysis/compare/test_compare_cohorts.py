from collections.abc import Callable

from stress.analysis.compare.compare import counted, match_cohorts, matching
from stress.analysis.recording import record
from stress.analysis.summary import summarize
from stress.model.run import Cell, Run
from stress.model.summary import Condition


def test_a_cohort_is_met_again(located: Callable[..., Run]) -> None:
    before = located(lambda like: 5 if like.address == 1 else 0)
    after = located(lambda like: 0)
    (again,) = match_cohorts(before, after, summarize(before).causes)

    assert [one.value for one in again.conditions] == ["10.0.3.7:443"]
    assert (again.before, again.after) == ((800, 4000), (0, 4000))


def test_time_and_ports_are_not_met_again() -> None:
    conditions = [Condition("time", "x"), Condition("local_port", "y"), Condition("client", "z")]

    assert [one.value for one in matching(conditions)] == ["z"]


def test_a_mechanism_alone_is_counted_in_the_mix(leaf_alone: Run) -> None:
    (again,) = match_cohorts(leaf_alone, leaf_alone, summarize(leaf_alone).causes)

    assert again.conditions == ()
    assert again.before == again.after == (98, 20_000)


def test_a_value_that_never_occurs_counts_nothing(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    table = record(recorded([cell(10)])).table

    assert counted(table, matching([Condition("client", "nobody")]), "reset") == (0, 0)
    assert counted(table, matching([Condition("backend", "x")]), "reset") == (0, 0)
    assert counted(table, (), "reset") == (0, 10)
    assert list(match_cohorts(recorded([cell(1)]), recorded([cell(1)]), ())) == []
