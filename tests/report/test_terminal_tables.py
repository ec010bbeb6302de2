import io
from dataclasses import replace

import pytest
from rich.console import Console

from stress.model.limit import Limit, Standing, Step
from stress.model.summary import Quantiles, Summary
from stress.report import terminal


def shown(table: object) -> str:
    console = Console(file=io.StringIO(), width=100, color_system=None)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_failures_stand_most_frequent_first(summary: Summary) -> None:
    counts = {"reset": 2, "incomplete-chain": 98, "alert-40": 5}
    failures = replace(summary.failures, categories=counts)
    text = shown(terminal.failures(replace(summary, failures=failures)))

    assert text.index("incomplete-chain") < text.index("alert-40") < text.index("reset")


def test_a_summary_without_attempts_divides_by_nothing(summary: Summary) -> None:
    nothing = replace(summary.addresses[0], attempts=0, failures=0)
    empty = replace(summary, attempts=0, addresses=(nothing,))

    assert "-" in shown(terminal.failures(empty))
    assert "-" in shown(terminal.addresses(empty))


@pytest.mark.parametrize("count", [20, 21, 22])
def test_the_tail_is_counted_in_words(count: int, summary: Summary) -> None:
    text = shown(terminal.chains(replace(summary, chains=summary.chains[:1] * count)))

    tails = {20: "more" not in text, 21: "and 1 more chain\n", 22: "and 2 more chains\n"}
    expected = tails[count]
    assert expected is True or (isinstance(expected, str) and expected in _stripped(text))


def _stripped(text: str) -> str:
    return "\n".join(line.strip() for line in text.splitlines()) + "\n"


def test_phases_without_a_value_show_dashes_and_unknown_phases_are_left_out(
    summary: Summary,
) -> None:
    nothing = Quantiles(None, None, None, None, None)
    text = shown(terminal.latency(replace(summary, latency={"connect": nothing, "other": nothing})))

    assert text.count("-") >= 5
    assert "other" not in text
    assert "server" not in text


def test_policies_are_grouped_by_what_they_refuse_for(summary: Summary) -> None:
    problems = {"go": ("expired-leaf", "no-san"), "apple": ("expired-leaf",)}
    odd = replace(summary.chains[1], problems=problems)
    text = shown(terminal.chains(replace(summary, chains=(odd,))))

    assert "expired-leaf: apple, go" in text
    assert "no-san: go" in text


def test_corrected_and_uncorrected_stand_together_where_they_differ(summary: Summary) -> None:
    early, late = (Quantiles(p, p, p, p, p) for p in (1000.0, 2000.0))
    both = replace(summary, latency={"total": late, "attempt": early})
    one = replace(summary, latency={"total": late})

    assert "coordinated omission" not in shown(terminal.latency(one))
    text = " ".join(shown(terminal.latency(both)).split())
    assert "total 2.00 2.00" in text
    assert "attempt 1.00 1.00" in text
    assert "the difference is what a closed loop does not measure" in text


@pytest.mark.parametrize(("count", "tail"), [(1, ""), (20, ""), (23, "without the first 3")])
def test_the_steps_to_a_limit_are_told(count: int, tail: str) -> None:
    step = Step(950.0, 5.0, 4_000, 12, 3, 1500.0, 99_000.0, Standing.GAVE_WAY, "it broke")
    limit = Limit("p99.total<50ms", (step,) * count, None, 950.0, False, "slow", False)

    text = shown(terminal.limit(limit))

    assert "limit of p99.total<50ms" in text
    row = next(line for line in text.splitlines() if line.startswith("950/s"))
    assert row.split() == ["950/s", "5", "4,000", "12", "3", "1.50", "99.0", "gave", "way"]
    assert ("without the first" in text) is bool(tail)
    assert tail in text
