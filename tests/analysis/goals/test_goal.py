import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.analysis.goals.goal import Operator, Subject, parse_goal, parse_goals
from stress.errors import UsageError
from stress.model.run import Phase


@pytest.mark.parametrize(
    ("text", "subject", "operator", "value"),
    [
        ("failures>=20", Subject.FAILURES, Operator.AT_LEAST, 20),
        ("failures == 0", Subject.FAILURES, Operator.EQUAL, 0),
        ("failing<0.1%", Subject.FAILING, Operator.LESS, 0.001),
        ("failing>0.001", Subject.FAILING, Operator.MORE, 0.001),
        ("relative<20%", Subject.RELATIVE, Operator.LESS, 0.2),
        ("clean for 10m", Subject.CLEAN, Operator.FOR, 600),
        ("chains=1", Subject.CHAINS, Operator.EQUAL, 1),
        ("causes!=0", Subject.CAUSES, Operator.UNEQUAL, 0),
        ("p99.server<50ms", Subject.LATENCY, Operator.LESS, 50_000),
        ("p999.total <= 2s", Subject.LATENCY, Operator.AT_MOST, 2_000_000),
    ],
)
def test_goals_are_read(text: str, subject: Subject, operator: Operator, value: float) -> None:
    goal = parse_goal(text)

    assert (goal.subject, goal.operator) == (subject, operator)
    assert goal.value == pytest.approx(value)
    assert goal.text == text


@pytest.mark.parametrize(
    ("text", "least_s"),
    [
        ("failing<0.1% for 10m", 600.0),
        ("failing <= 0.001 for 1h", 3600.0),
        ("p99.server<50ms for 90s", 90.0),
        ("failing<0.1%", 0.0),
    ],
)
def test_a_limit_may_hold_for_a_time(text: str, least_s: float) -> None:
    assert parse_goal(text).least_s == least_s


@pytest.mark.parametrize("text", ["p999.handshake<1s", "p99.9.handshake<1s"])
def test_a_percentile_has_its_phase(text: str) -> None:
    goal = parse_goal(text)

    assert (goal.percentile, goal.phase) == (99.9, Phase.HANDSHAKE)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("failing", "the shell interprets < and >"),
        ("failures>", "the shell interprets < and >"),
        ("failing 0.1%", "no operator"),
        ("failing<0.1", ""),
        ("failures<0.5", "whole number"),
        ("failures<5%", "whole number"),
        ("failing<5ms", "not a unit of a rate"),
        ("failing==1%", "never known exactly"),
        ("failing<0%", "between 0% and 100%"),
        ("failing<120%", "between 0% and 100%"),
        ("relative>20%", "only an upper bound"),
        ("rate<5%", "rate is the offered load"),
        ("failng<1%", "unknown goal 'failng'"),
        ("latency<5", "unknown goal 'latency'"),
        ("p99.sever<5ms", "unknown goal 'p99.sever'"),
        ("p99.server<5", "no unit of time"),
        ("p99.server<5%", "'%' is not a unit of time"),
        ("p99.server==5ms", "needs a bound"),
        ("clean for 10 parsecs", "'parsecs' is not a unit of time"),
        ("clean<5", "unknown goal 'clean'"),
        ("", "not a complete goal"),
        ("clean", "not a complete goal"),
        ("clean for 0s", "is met at once"),
        ("relative<0%", "can never be met"),
        ("p100.server<5ms", "unknown goal 'p100.server'"),
        ("failing<1% and more", "is not a goal"),
        ("failing>1% for 10m", "only a limit that is not to be exceeded"),
        ("failures==0 for 10m", "only a limit that is not to be exceeded"),
        ("failing<1% for 10", "is not a goal"),
        ("failing<1% for 10 parsecs", "'parsecs' is not a unit of time"),
    ],
)
def test_errors_name_what_is_wrong(text: str, words: str) -> None:
    if not words:
        assert parse_goal(text).text == text
        return
    with pytest.raises(UsageError) as caught:
        parse_goal(text)

    assert words in caught.value.message
    assert caught.value.hint


def test_the_nearest_goal_is_suggested() -> None:
    with pytest.raises(UsageError) as caught:
        parse_goal("failng<1%")

    assert "did you mean 'failing'" in str(caught.value.hint)


def test_a_percentile_without_a_phase_suggests_the_total() -> None:
    with pytest.raises(UsageError) as caught:
        parse_goal("p99<5ms")

    assert "did you mean 'p99.total'" in str(caught.value.hint)


def test_an_operator_lost_to_the_shell_is_restored_in_the_hint() -> None:
    with pytest.raises(UsageError) as caught:
        parse_goal("failures>=")

    assert "'failures>=…'" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("texts", "contradict"),
    [
        (("failing<1%", "failing>2%"), True),
        (("failing<1%", "failing>1%"), True),
        (("failing<=1%", "failing>=1%"), False),
        (("failing<2%", "failing>1%"), False),
        (("chains==1", "chains==2"), True),
        (("chains==1", "chains!=2"), False),
        (("failures>=20", "failing<1%"), False),
        (("p99.server<5ms", "p99.server>6ms"), True),
        (("p99.server<5ms", "p50.server>6ms"), False),
    ],
)
def test_goals_that_cannot_both_hold_are_refused(texts: tuple[str, ...], contradict: bool) -> None:
    if not contradict:
        assert len(parse_goals(texts)) == 2
        return
    with pytest.raises(UsageError, match="can never both hold"):
        parse_goals(texts)


@given(st.text(max_size=30))
def test_any_text_is_a_goal_or_a_usage_error(text: str) -> None:
    try:
        parse_goal(text)
    except UsageError:
        return
