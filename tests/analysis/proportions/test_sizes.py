import pytest

from stress.analysis.proportions.sizes import (
    failures_needed,
    for_backends,
    to_measure,
    to_rule_out,
    to_see,
)
from stress.errors import UsageError


def test_the_planner_agrees_with_the_tables() -> None:
    assert to_see(1 / 5000, 0.95).handshakes == 14_978
    assert to_see(1 / 5000, 0.99).handshakes == 23_024
    assert to_see(1 / 5000, 0.99, times=5).handshakes == pytest.approx(58_023, abs=2)
    assert [for_backends(count).handshakes for count in (1, 4, 14, 50, 200)] == [
        1,
        21,
        98,
        422,
        1975,
    ]
    assert [failures_needed(error) for error in (0.1, 0.2, 0.3, 0.5, 1.0)] == [423, 116, 56, 24, 8]
    assert to_measure(0.0005, 0.2).handshakes == pytest.approx(259_998, rel=0.001)
    assert to_rule_out(0.001).handshakes == 3688


def test_the_sentence_has_the_figures() -> None:
    assert "3,688" in to_rule_out(0.001).sentence
    assert "4,570" in to_rule_out(0.001).sentence
    assert "116 failures" in to_measure(0.0005, 0.2).sentence
    assert to_see(1.0).handshakes == 1
    assert to_rule_out(1.0).handshakes == 1


@pytest.mark.parametrize("share", [0.0, -0.1, 1.5])
def test_impossible_rates_are_refused(share: float) -> None:
    for plan in (to_see, to_rule_out):
        with pytest.raises(UsageError, match="cannot be planned for"):
            plan(share)


def test_impossible_questions_are_refused() -> None:
    with pytest.raises(UsageError, match="confidence"):
        to_see(0.1, 1.0)
    with pytest.raises(UsageError, match="0 times"):
        to_see(0.1, times=0)
    with pytest.raises(UsageError, match="relative error"):
        to_measure(0.1, 0.0)
    with pytest.raises(UsageError, match="0 backends"):
        for_backends(0)
