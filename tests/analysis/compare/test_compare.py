from collections.abc import Callable
from dataclasses import replace

import pytest

from stress.analysis.compare.compare import (
    Change,
    Comparison,
    cause_changes,
    counted,
    judge,
    matching,
    rates,
)
from stress.analysis.compare.compare import compare as compare_runs
from stress.analysis.recording import record
from stress.model.plan import Address, Client, Load, Plan, Target, Trust
from stress.model.run import Cell, HistogramRow, Phase, Run
from stress.model.summary import Comparator, Condition
from stress.report.comparison import render_comparison
from stress.report.summary import summarize

LATER = 1_790_000_100_000_000_000


def compare(before: Run, after: Run) -> Comparison:
    return compare_runs(before, after, (summarize(before), summarize(after)))


def after(
    recorded: Callable[..., Run], cells: list[Cell], seconds: int = 20, **changes: object
) -> Run:
    return recorded(
        cells,
        file="results/after.db",
        started_ns=LATER,
        ended_ns=LATER + seconds * 1_000_000_000,
        **changes,
    )


@pytest.mark.parametrize(
    ("before", "later", "change"),
    [
        ((98, 20_000), (0, 20_000), Change.BETTER),
        ((98, 20_000), (0, 600), Change.NOT_WORSE),
        ((98, 20_000), (0, 300), Change.UNKNOWN),
        ((98, 20_000), (95, 20_000), Change.NOT_WORSE),
        ((98, 20_000), (160, 20_000), Change.WORSE),
        ((0, 1000), (0, 1000), Change.NOT_WORSE),
        ((0, 10_000), (0, 100), Change.UNKNOWN),
        ((0, 1000), (9, 1000), Change.WORSE),
        ((0, 1000), (1, 1000), Change.UNKNOWN),
        ((3, 1000), (0, 1000), Change.NOT_WORSE),
        ((1, 1000), (0, 1000), Change.UNKNOWN),
    ],
)
def test_counts_decide_exactly(
    before: tuple[int, int], later: tuple[int, int], change: Change
) -> None:
    assert judge(rates(before, later)) is change


@pytest.mark.parametrize(("failed", "factor"), [(1, 19.0), (3, 1.71), (10, 0.35)])
def test_a_fix_needs_so_many_clean_handshakes(failed: int, factor: float) -> None:
    enough = rates((failed, 10_000), (0, int(10_000 * factor * 1.01)))
    short = rates((failed, 10_000), (0, int(10_000 * factor * 0.97)))

    assert enough.better_p <= 0.05 < short.better_p


def test_a_fix_is_proven_in_its_cohort(
    located: Callable[..., Run], recorded: Callable[..., Run]
) -> None:
    before = located(lambda like: 5 if like.address == 1 and like.client == 1 else 0)
    fixed = located(lambda like: 0, file="results/after.db", started_ns=LATER, blocks=40)
    found = compare(before, fixed)

    assert found.change is Change.BETTER
    assert found.causes[0].change is Change.BETTER
    assert "0 of 2,000" in found.causes[0].sentence
    assert "at 10.0.3.7:443" in found.causes[0].sentence
    assert "an unchanged failure rate is ruled out" in found.causes[0].sentence
    assert found.headline.startswith("Better: 0 of 16,000")


@pytest.mark.parametrize(
    ("failed", "begins"),
    [
        (0, "Better: 0 of"),
        (20, "Better, but not fixed: 20 of"),
        (95, "Not worse, but not fixed: 95 of"),
    ],
)
def test_the_headline_says_whether_it_is_fixed(
    recorded: Callable[..., Run], cell: Callable[..., Cell], failed: int, begins: str
) -> None:
    def cells(failures: int) -> list[Cell]:
        return [cell(20_000 - failures), cell(failures, outcome="reset")]

    found = compare(recorded(cells(98)), after(recorded, cells(failed)))

    assert found.headline.startswith(begins)


def test_a_run_is_not_compared_with_itself(leaf_alone: Run) -> None:
    found = compare(leaf_alone, leaf_alone)

    assert found.change is Change.NOT_COMPARABLE
    assert found.headline == "Not comparable: both are the same run."


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"target": Target("other.test")},
            "the target differs (lab.test:443, then other.test:443)",
        ),
        ({"server_name": None}, "the server name differs"),
        ({"clients": (Client("chrome"),)}, "the mix of clients differs"),
        ({"trust": Trust(anchors_from="system")}, "the trust store differs"),
        ({"trust": Trust(anchors_from="ca.pem", policy="go")}, "the trust policy differs"),
        ({"load": Load(rate=900.0)}, "the offered load differs (50/s, then 900/s)"),
    ],
)
def test_runs_with_different_setups_are_not_compared(
    recorded: Callable[..., Run],
    cell: Callable[..., Cell],
    plan: Plan,
    changes: dict[str, object],
    words: str,
) -> None:
    other = after(recorded, [cell(100)], plan=replace(plan, **changes))  # type: ignore[arg-type] # table
    found = compare(recorded([cell(100)]), other)

    assert found.change is Change.NOT_COMPARABLE
    assert words in found.headline


def test_other_durations_and_empty_runs_are_not_compared(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    short = after(recorded, [cell(100)], seconds=1)

    assert "the duration differs" in compare(recorded([cell(100)]), short).headline
    assert "no attempts" in compare(recorded([cell(100)]), after(recorded, [])).headline


def test_too_few_handshakes_are_reported_with_how_many_it_takes(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    before = recorded([cell(997), cell(2, outcome="reset", chain=None)])
    found = compare(before, after(recorded, [cell(100)]))

    assert found.change is Change.UNKNOWN
    assert "handshakes without a failure would settle it" in found.headline


def test_slower_is_worse(
    recorded: Callable[..., Run],
    cell: Callable[..., Cell],
    histogram_row: Callable[..., HistogramRow],
) -> None:
    def rows(base: int) -> list[HistogramRow]:
        return [
            histogram_row(Phase.SERVER, [base + 1000 * (n % 97) for n in range(400)], block=block)
            for block in range(20)
        ]

    found = compare(
        recorded([cell(9000)], histograms=rows(1_000_000)),
        after(recorded, [cell(9000)], histograms=rows(2_000_000)),
    )

    assert found.change is Change.WORSE
    assert "p50 of server: 2.05 ms, before 1.05 ms" in found.headline


def test_a_cohort_is_counted_in_both_runs(located: Callable[..., Run]) -> None:
    before = located(lambda like: 5 if like.address == 1 else 0)
    after = located(lambda like: 0)
    (found,) = cause_changes(before, after, summarize(before).causes)

    assert found.sentence.startswith("0 of 4,000 (0%) at 10.0.3.7:443, 20% before: ")
    assert (found.rates.before_failures, found.rates.before_attempts) == (800, 4000)
    assert (found.rates.after_failures, found.rates.after_attempts) == (0, 4000)


def test_conditions_on_time_and_ports_are_dropped() -> None:
    conditions = [Condition("time", "x"), Condition("local_port", "y"), Condition("client", "z")]

    assert [one.value for one in matching(conditions)] == ["z"]


def test_a_mechanism_alone_is_counted_in_the_mix(leaf_alone: Run) -> None:
    (found,) = cause_changes(leaf_alone, leaf_alone, summarize(leaf_alone).causes)

    assert " overall, " in found.sentence
    assert (found.rates.before_failures, found.rates.before_attempts) == (98, 20_000)
    assert (found.rates.after_failures, found.rates.after_attempts) == (98, 20_000)


def test_a_value_that_never_occurs_counts_nothing(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    table = record(recorded([cell(10)])).table

    assert counted(table, matching([Condition("client", "nobody")]), "reset") == (0, 0)
    assert counted(table, matching([Condition("backend", "x")]), "reset") == (0, 0)
    assert counted(table, (), "reset") == (0, 10)
    other = Condition("client", "nobody", Comparator.IS_NOT)
    assert counted(table, matching([other]), "reset") == (0, 10)
    own = Condition("client", "generic", Comparator.IS_NOT)
    assert counted(table, matching([own]), "reset") == (0, 0)
    assert list(cause_changes(recorded([cell(1)]), recorded([cell(1)]), ())) == []


def places(count: int) -> tuple[Address, ...]:
    return tuple(Address(f"10.0.3.{number}", 443) for number in range(count))


def test_other_addresses_are_compared_where_both_runs_were(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    """Leaving out the bad addresses is no fix."""
    twelve = [cell(500, address=number) for number in range(12)]
    bad = [cell(60, address=number, outcome="reset") for number in range(1, 12)]
    before = recorded([*twelve, *bad], addresses=places(12))
    found = compare(before, after(recorded, [cell(6000)], addresses=places(1)))

    assert found.change not in {Change.BETTER, Change.WORSE}
    assert (found.rates.before_failures, found.rates.before_attempts) == (0, 500)
    assert (
        "compared only where both runs have attempts: 1 of 12 pairs of address and client"
        in found.warnings
    )


def test_runs_without_a_common_address_are_not_compared(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    found = compare(
        recorded([cell(500)], addresses=places(1)),
        after(recorded, [cell(500)], addresses=places(2)[1:]),
    )

    assert found.headline == "Not comparable: no address was reached in both runs."


def test_another_mix_of_addresses_is_no_change(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    """One address fails at 10%, before and after; it only got more of the traffic."""

    def cells(good: int, bad: int) -> list[Cell]:
        return [
            cell(good),
            cell(bad * 9, address=1),
            cell(bad, address=1, outcome="reset"),
        ]

    before = recorded(cells(9000, 100), addresses=places(2))
    found = compare(before, after(recorded, cells(1000, 900), addresses=places(2)))

    assert found.change is Change.NOT_WORSE
    assert found.rates.after_failures == 900
    assert any("the latencies are not compared" in text for text in found.warnings)


def test_bursts_are_counted_as_rows_and_tested_as_bursts(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    def cells(*bursts: int) -> list[Cell]:
        good = [cell(100, block=block) for block in range(60)]
        return [*good, *(cell(80, block=block, outcome="reset") for block in bursts)]

    found = compare(recorded(cells(10, 40)), after(recorded, cells(5, 20, 50)))

    assert found.change is Change.UNKNOWN
    assert (found.rates.before_failures, found.rates.after_failures) == (160, 240)
    assert found.rates.effect == 80.0


def test_an_older_second_run_and_a_limited_generator_are_reported(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    first = recorded([cell(1000)])
    older = compare(after(recorded, [cell(1000)]), first)
    limited = after(recorded, [cell(1000)], reasons=("generator-limited: 10 of 50/s",))

    assert "AFTER is older than BEFORE" in older.warnings
    assert compare(first, limited).headline == "Cannot tell: generator-limited: 10 of 50/s."


def test_what_is_not_settled_says_how_many_more_it_takes(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    before = recorded([cell(9990), cell(10, outcome="reset")])
    found = compare(before, after(recorded, [cell(999), cell(1, outcome="reset")]))

    assert found.change is Change.UNKNOWN
    assert found.needed
    assert f"{found.needed:,} more handshakes would settle it" in found.headline
    assert f"-n {found.needed + 1000}" in " ".join(render_comparison(found).split())


def test_where_before_is_too_short_both_have_to_be_longer(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    before = recorded([cell(99), cell(1, outcome="reset")])
    later = after(recorded, [cell(9_900), cell(100, outcome="reset")])
    found = compare(before, later)
    told = " ".join(render_comparison(found).split())

    assert found.change is Change.UNKNOWN
    assert found.needed
    assert f"{found.needed:,} more handshakes, in both runs, would settle it" in found.headline
    (_, first), (_, second) = found.settling
    assert first + second == found.needed + 100 + 10_000
    assert f"-n {first} " in f"{told} "
    assert f"-n {second} " in f"{told} "


def test_what_was_not_tested_again_is_not_settled_by_a_few_more(
    located: Callable[..., Run], recorded: Callable[..., Run]
) -> None:
    """It failed with TLS 1.2, and the second run had none of that."""
    before = located(lambda like: 5 if like.tls_version == 0x0303 else 0)
    kept = [one for one in before.cube().cells if one.tls_version == 0x0304]
    later = after(recorded, kept, plan=before.facts().plan, addresses=before.addresses())
    found = compare(before, later)

    assert found.change is Change.UNKNOWN
    count = summarize(before).attempts
    assert f"nothing was tested again: {count:,} more handshakes, with the" in found.headline
    assert found.causes[0].sentence.startswith("Nothing was tested with TLS 1.2, where 20%")
    assert found.settling == ((before.facts().plan, count),)


def test_the_tolerance_decides_what_is_slower(
    recorded: Callable[..., Run],
    cell: Callable[..., Cell],
    histogram_row: Callable[..., HistogramRow],
) -> None:
    def run(base: int) -> list[HistogramRow]:
        values = [base + 1000 * (n % 97) for n in range(400)]
        return [histogram_row(Phase.SERVER, values, block=block) for block in range(20)]

    before = recorded([cell(9000)], histograms=run(1_000_000))
    later = after(recorded, [cell(9000)], histograms=run(1_300_000))
    summaries = summarize(before), summarize(later)

    assert compare_runs(before, later, summaries).change is Change.WORSE
    assert compare_runs(before, later, summaries, tolerance=0.5).change is Change.NOT_WORSE
