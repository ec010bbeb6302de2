from collections.abc import Callable
from dataclasses import fields, replace
from shlex import join

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stress.analysis.goals.goal import parse_goals
from stress.analysis.proportions.binomial import clopper_pearson
from stress.model.outcome import Stage
from stress.model.run import Cell, End, HistogramRow, Phase, Run
from stress.model.summary import Answer, Purpose, Unexplained
from stress.report.summary import summarize


def test_the_demo_is_told_in_one_sentence(leaf_alone: Run) -> None:
    summary = summarize(leaf_alone)

    assert summary.verdict is Answer.FAILING
    assert (summary.attempts, summary.failures.count) == (20_000, 98)
    assert "98 of 20,000 handshakes (0.49%" in summary.headline
    assert "received an incomplete chain" in summary.headline
    assert "Lab Intermediate A" in summary.headline
    assert summary.unexplained == Unexplained()
    assert len(summary.chains) == 2


def test_a_clean_run_carries_its_bound(
    recorded: Callable[..., Run],
    cell: Callable[..., Cell],
    histogram_row: Callable[..., HistogramRow],
) -> None:
    rows = [histogram_row(Phase.SERVER, [1_000_000] * 1000)]
    summary = summarize(recorded([cell(1000)], histograms=rows))

    assert summary.verdict is Answer.CLEAN
    assert summary.headline == (
        "0 of 1,000 handshakes failed; a failure rate of 0.3% or more would have been detected "
        "(95% confidence)."
    )
    assert summary.latency["server"].p99 == pytest.approx(1000, rel=0.01)
    assert summary.causes == ()


def test_goals_alone_decide(leaf_alone: Run) -> None:
    held = summarize(leaf_alone, goals=parse_goals(["failing<1%"]))
    missed = summarize(leaf_alone, goals=parse_goals(["failing<1%", "chains==1"]))
    open_ = summarize(leaf_alone, goals=parse_goals(["failing<0.5%"]))

    assert held.verdict is Answer.CLEAN
    assert missed.verdict is Answer.FAILING
    assert open_.verdict is Answer.INCONCLUSIVE
    assert [one.holds for one in missed.assertions] == ["yes", "no"]


def test_what_is_undecided_comes_with_the_run_that_settles_it(leaf_alone: Run) -> None:
    """Recounted: as many rows more, failing as often, decide it."""
    (found,) = summarize(leaf_alone, goals=parse_goals(["failing<0.55%"])).assertions
    assert found.needed
    rows = 20_000 + found.needed
    interval = clopper_pearson(round(rows * 98 / 20_000), rows)

    assert interval.high < 0.0055
    assert found.command[:2] == ("tls-stress", "run")
    assert f"-n {rows}" in " ".join(found.command)
    assert found.command[-2:] == ("--assert", "failing<0.55%")


def test_at_the_limit_no_number_of_handshakes_is_told(leaf_alone: Run) -> None:
    summary = summarize(leaf_alone, goals=parse_goals(["failing<0.49%"]))

    assert [one.needed for one in summary.assertions] == [None]
    assert "failing<0.49% (no number of handshakes is known to settle it)" in summary.headline


@pytest.mark.parametrize("end", [End.COMPLETED, End.STOPPED])
def test_one_address_has_the_interval_of_the_whole(
    end: End, recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    """Failures in a burst are one observation, wherever they are shown."""
    quiet = [cell(100, block=block) for block in range(60)]
    summary = summarize(recorded([*quiet, cell(80, block=30, outcome="reset")], end=end))

    (line,) = summary.addresses
    assert line.interval == summary.failures.interval
    assert line.interval.high > 0.05


@pytest.mark.parametrize("end", list(End))
@pytest.mark.parametrize(
    "endings",
    [
        {},
        {"ok": 1},
        {"reset": 1},
        {"reset": 3},
        {"ok": 5, "reset": 3},
        {"expired-leaf": 3},
        {"not-sent": 3},
        {"cancelled": 3},
        {"local-ports": 3},
        {"alert-40": 2, "eof": 2, "self-signed": 1, "timeout-handshake": 1},
    ],
)
def test_small_and_odd_runs_have_sensible_sentences(
    recorded: Callable[..., Run],
    cell: Callable[..., Cell],
    endings: dict[str, int],
    end: End,
) -> None:
    cells = [
        cell(count, outcome=name, chain=None if name != "ok" else 1, stage=Stage.CLIENT_HELLO)
        for name, count in endings.items()
    ]
    ended = None if end is End.UNFINISHED else 1_790_000_001_000_000_000
    summary = summarize(recorded(cells, end=end, ended_ns=ended))

    for line in fields(summary.lines):
        text = getattr(summary.lines, line.name)
        assert text
        assert text[0].isprintable()
        assert "None" not in text


def test_a_file_without_an_end_lasts_until_its_last_block(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    run = recorded([cell(5), cell(5, block=11)], end=End.UNFINISHED, ended_ns=None)

    assert summarize(run).run.duration_s == 12.0
    assert summarize(run).run.started == "2026-09-21T14:13:20.000Z"


def test_every_address_has_a_line(located: Callable[..., Run]) -> None:
    lines = summarize(located(lambda like: 5 if like.address == 1 else 0)).addresses

    assert [(line.address, line.label, line.failures) for line in lines][1:3] == [
        ("10.0.3.7:443", "node-b", 800),
        ("10.0.3.8:443", "node-c", 0),
    ]


def test_the_order_of_the_cells_changes_nothing(located: Callable[..., Run]) -> None:
    run = located(lambda like: 5 if like.address == 1 and like.client else int(like.block == 7))
    before = summarize(run)
    run.the_cube = replace(run.cube(), cells=run.cube().cells[::-1])  # type: ignore[attr-defined] # the fake

    assert summarize(run) == before


CELLS = st.lists(
    st.builds(
        Cell,
        block=st.integers(0, 30),
        address=st.integers(0, 2),
        source=st.none(),
        client=st.integers(0, 1),
        chain=st.one_of(st.none(), st.integers(1, 4)),
        tls_version=st.sampled_from([None, 0x0303, 0x0304]),
        cipher=st.sampled_from([None, 0x1301, 0x1302]),
        key_group=st.none(),
        alpn=st.sampled_from([None, "h2", "\x1b[0m"]),
        resumed=st.sampled_from([None, True, False]),
        segment=st.integers(0, 2),
        stage=st.sampled_from([int(stage) for stage in Stage]),
        outcome=st.sampled_from(
            ["ok", "ok", "reset", "expired-leaf", "alert-40", "local-lag", "cancelled", "not-sent"]
        ),
        count=st.integers(0, 200),
        others=st.just(()),
    ),
    max_size=40,
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True)
@given(cells=CELLS, end=st.sampled_from(list(End)))
def test_any_run_gets_an_answer_that_adds_up(
    cells: list[Cell], end: End, recorded: Callable[..., Run]
) -> None:
    summary = summarize(recorded(cells, end=end))
    told = sum(cause.failures for cause in summary.causes)

    assert told + summary.unexplained.failures == summary.failures.count
    assert summary.unexplained.failures >= 0
    assert summary.failures.interval.low <= summary.failures.share <= summary.failures.interval.high
    assert [cause.rank for cause in summary.causes] == list(range(1, len(summary.causes) + 1))
    assert bool(summary.unexplained.likely) == bool(summary.unexplained.failures)
    assert all(cause.likely for cause in summary.causes if cause.failures)


def test_every_printed_command_is_there_as_arguments(leaf_alone: Run) -> None:
    summary = summarize(leaf_alone)

    assert [(one.purpose, one.argv[:2]) for one in summary.commands] == [
        (Purpose.PROVE, ("tls-stress", "evidence")),
        (Purpose.VERIFY_FIX, ("tls-stress", "replay")),
        (Purpose.VERIFY_FIX, ("tls-stress", "run")),
        (Purpose.VERIFY_FIX, ("tls-stress", "compare")),
    ]
    for command in summary.commands:
        assert join(command.argv) in summary.lines.prove
