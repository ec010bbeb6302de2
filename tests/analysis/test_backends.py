from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from stress.analysis.backends import keys_of_failures, met
from stress.analysis.compare.compare import Change, cause_changes
from stress.analysis.findings import examine
from stress.analysis.recording import record
from stress.model.attributes import Dimension
from stress.model.plan import Plan
from stress.model.run import CELL_OTHERS, Cell, JoinedLog, Run, SeenChain
from stress.report.summary import summarize

A, B, BAD = "ticket key aaaaaaaa", "ticket key bbbbbbbb", "incomplete-chain"


@pytest.fixture
def looked(plan: Plan) -> Plan:
    """Of a run that read session tickets."""
    return replace(plan, ticket_names=True)


def behind(cell: Cell, name: str | None) -> Cell:
    return cell._replace(others=tuple(name if one == "backend" else None for one in CELL_OTHERS))


def test_servers_are_counted_by_the_names_that_they_gave(
    cell: Callable[..., Cell], recorded: Callable[..., Run], looked: Plan
) -> None:
    cells = [behind(cell(8, chain=2, outcome=BAD), B), behind(cell(100, chain=1), A), cell(9)]
    run = recorded(cells, plan=looked)

    found = met(run.cube(), run.facts())

    assert found is not None
    assert (found.named, found.unnamed, found.seen) == (108, 9, 2)


def test_the_server_of_all_failures_is_named(
    cell: Callable[..., Cell], recorded: Callable[..., Run], looked: Plan
) -> None:
    others = [f"ticket key {number:08}" for number in range(11)]
    cells = [behind(cell(20, chain=1, block=block), one) for one in others for block in range(9)]
    cells += [behind(cell(20, chain=2, block=block, outcome=BAD), B) for block in range(9)]

    summary = summarize(recorded(cells, plan=looked))

    (cause,) = summary.causes
    assert [(one.dimension, one.value) for one in cause.conditions] == [("backend", B)]
    assert (cause.failures, cause.attempts) == (180, 180)
    assert "All came from the backend with ticket key bbbbbbbb, 1 of 12." in summary.headline


def test_a_few_failures_without_a_name_keep_no_server_from_being_named(
    cell: Callable[..., Cell], recorded: Callable[..., Run], looked: Plan
) -> None:
    """As at the beginning, before any name has come twice."""
    others = [f"ticket key {number:08}" for number in range(11)]
    cells = [behind(cell(20, chain=1, block=block), one) for one in others for block in range(9)]
    cells += [behind(cell(20, chain=2, block=block, outcome=BAD), B) for block in range(9)]
    cells += [cell(11, chain=1), cell(1, chain=2, outcome=BAD)]

    headline = summarize(recorded(cells, plan=looked)).headline

    assert "All 180 whose server is known came from the backend with ticket key bbb" in headline

    cells.append(behind(cell(1, chain=2, outcome=BAD), A))
    assert "came from" not in summarize(recorded(cells, plan=looked)).headline


def test_each_server_has_its_chains_and_its_times(
    cell: Callable[..., Cell], recorded: Callable[..., Run], looked: Plan
) -> None:
    """B sends another chain from the sixth second on."""
    chains = [SeenChain(number, bytes([number]) * 32, (), 1, 0, 0) for number in (1, 2)]
    cells = [behind(cell(20, chain=1, block=block), A) for block in range(9)]
    cells += [behind(cell(20, chain=1, block=block), B) for block in range(2, 5)]
    cells += [behind(cell(30, chain=2, block=block, outcome=BAD), B) for block in (5, 7)]
    run = recorded(cells, plan=looked, chains=chains)

    bad, good = summarize(run).backends

    begun = datetime.fromtimestamp(run.facts().started_ns / 1e9, UTC)
    told = [
        datetime.fromisoformat(moment) - begun
        for moment in (good.first, good.last, bad.first, bad.last, bad.failing_since or "")
    ]
    assert [one.total_seconds() for one in told] == [0, 8, 2, 7, 5]
    assert (good.chains, good.failing_since) == ({"01" * 32: 180}, None)
    assert list(bad.chains.items()) == [("01" * 32, 60), ("02" * 32, 60)]


def test_an_outage_while_names_were_read_is_not_blamed_on_those_that_have_one(
    cell: Callable[..., Cell], recorded: Callable[..., Run]
) -> None:
    """Names are read at the beginning, and so failures of the beginning all have one."""
    early = [
        behind(cell(10, chain=1, block=block, outcome=outcome), name)
        for block in range(6)
        for name in (A, B)
        for outcome in ("ok", BAD)
    ]
    late = [cell(400, chain=1, block=block) for block in range(6, 60)]

    causes = examine(recorded([*early, *late])).explanation.claims

    told = {one.dimension for claim in causes for one in claim.conditions}
    assert Dimension.BACKEND.value not in told


def test_one_name_is_that_of_a_shared_key(
    cell: Callable[..., Cell], recorded: Callable[..., Run], looked: Plan
) -> None:
    cells = [behind(cell(50, chain=2, outcome=BAD), A), behind(cell(550, chain=1), A)]
    run = recorded(cells, plan=looked)

    summary = summarize(run)

    assert summary.backends == ()
    assert summary.backend_count is not None
    assert summary.backend_count.seen == 1
    assert "all are sealed with one key" in summary.lines.where
    assert "tls-stress join lab LOG" in summary.lines.where


def test_without_names_it_says_so(
    cell: Callable[..., Cell], recorded: Callable[..., Run], looked: Plan
) -> None:
    cells = [cell(50, chain=2, outcome=BAD), cell(550, chain=1)]

    summary = summarize(recorded(cells, plan=looked))

    assert "Session tickets name no server" in summary.lines.asked
    assert "its session tickets name none" in summary.lines.where


def test_a_header_that_differs_each_time_names_nobody(
    cell: Callable[..., Cell], recorded: Callable[..., Run], plan: Plan
) -> None:
    asked = replace(plan, identify="header:X-Served-By")

    summary = summarize(recorded([cell(50, chain=2, outcome=BAD), cell(550)], plan=asked))

    assert "The header of the answer names no server" in summary.lines.asked
    assert "Each handshake sent one HEAD request" in summary.lines.asked


def test_where_nobody_looked_nothing_is_said(
    cell: Callable[..., Cell], recorded: Callable[..., Run]
) -> None:
    assert summarize(recorded([cell(50)])).backend_count is None


def test_a_log_leaves_nothing_to_count(
    cell: Callable[..., Cell], recorded: Callable[..., Run]
) -> None:
    run = recorded([behind(cell(50), "node-1"), behind(cell(50), "node-2"), cell(500)])
    log = JoinedLog(("a.log",), "HAProxy", False, 100, 0, 500, 0, 0)
    facts = replace(run.facts(), joined=log)

    assert met(run.cube(), facts) is None
    assert record(run).table.column(Dimension.BACKEND) is not None


def test_a_server_that_was_mended_and_has_a_new_key_is_compared_overall(
    cell: Callable[..., Cell], recorded: Callable[..., Run]
) -> None:
    before = recorded(
        [behind(cell(20, chain=2, block=block, outcome=BAD), B) for block in range(9)]
        + [behind(cell(200, chain=1, block=block), A) for block in range(9)]
    )
    after = recorded([behind(cell(900), A), behind(cell(90), "ticket key cccccccc")])

    (change,) = cause_changes(before, after, summarize(before).causes)

    assert change.change is Change.BETTER
    assert "0 of 990" in change.sentence
    assert "that ticket key was not met again" in change.sentence


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((None, None), "where no backend is named"),
        ((A, B), "where no backend is named"),
        (("node-1", "node-2"), "where that backend was not met again"),
    ],
)
def test_a_server_that_the_second_run_does_not_name_is_compared_over_all(
    names: tuple[str | None, str | None],
    said: str,
    cell: Callable[..., Cell],
    recorded: Callable[..., Run],
) -> None:
    """The first run was joined with a log."""
    nodes = [behind(cell(100, chain=1), f"node-{number}") for number in range(11)]
    before = recorded([*nodes, behind(cell(100, chain=2, outcome=BAD), "node-12")])
    after = recorded([behind(cell(600, chain=1), name) for name in names])

    (change,) = cause_changes(before, after, summarize(before).causes)

    assert change.change is Change.BETTER
    assert "0 of 1,200" in change.sentence
    assert said in change.sentence


def drawn(cell: Cell, name: str | None) -> Cell:
    values = {"backend": name, "sampled": True}
    return cell._replace(others=tuple(values.get(one) for one in CELL_OTHERS))


@pytest.fixture
def sampled(cell: Callable[..., Cell]) -> list[Cell]:
    """All 60 failures were read, and of 1,200 good attempts at twelve servers 72."""
    others = [f"ticket key {number:08}" for number in range(11)]
    cells = [drawn(cell(6, chain=1), one) for one in others]
    cells += [cell(1_134, chain=1)]
    cells += [behind(cell(57, chain=2, outcome=BAD), B), drawn(cell(3, chain=2, outcome=BAD), B)]
    return cells


def test_of_a_sample_servers_are_counted_by_what_was_drawn(
    recorded: Callable[..., Run], sampled: list[Cell], plan: Plan
) -> None:
    summary = summarize(recorded(sampled, plan=plan))

    count = summary.backend_count
    assert count is not None
    assert count.sample
    assert (count.named, count.unnamed, count.seen) == (69, 0, 12)
    told = {one.name: (one.attempts, one.failures) for one in summary.backends}
    assert told[B] == (3, 3)
    assert sum(attempts for attempts, _ in told.values()) == 69


def test_of_a_sample_no_failure_rate_by_server_is_a_cause(
    recorded: Callable[..., Run], sampled: list[Cell], plan: Plan
) -> None:
    (cause,) = summarize(recorded(sampled, plan=plan)).causes

    assert cause.conditions == ()
    assert (cause.failures, cause.attempts) == (60, 60)


def test_the_key_of_all_failures_is_told_beside_the_sample(
    recorded: Callable[..., Run], sampled: list[Cell], plan: Plan
) -> None:
    summary = summarize(recorded(sampled, plan=plan))

    assert (
        "All 60 came from the backend with ticket key bbbbbbbb, 1 of about 12." in summary.headline
    )
    assert (
        "The session tickets of 60 of 60 (100%) failures were read: all were sealed with ticket "
        "key bbbbbbbb, as were 0 of 66 good handshakes drawn at random"
    ) in summary.lines.where


def test_a_key_that_good_attempts_have_as_often_is_not_told(
    cell: Callable[..., Cell], recorded: Callable[..., Run], plan: Plan
) -> None:
    """Two servers, each of which fails now and then."""
    cells = [drawn(cell(30, chain=1), one) for one in (A, B)] + [cell(900, chain=1)]
    cells += [behind(cell(n, chain=2, outcome=BAD), one) for n, one in ((12, A), (9, B))]
    run = recorded(cells, plan=plan)

    keys = keys_of_failures(run.cube(), run.facts())[BAD]
    summary = summarize(run)

    assert (keys.failures, keys.read, keys.most, keys.good, keys.good_most) == (21, 21, 12, 60, 30)
    assert not keys.stands_out
    assert "came from" not in summary.headline
    assert "no ticket key stands out" in summary.lines.where


def test_a_key_that_only_failures_have_is_one_more(
    cell: Callable[..., Cell], recorded: Callable[..., Run], plan: Plan
) -> None:
    """It is rare: the sample did not meet it, and must not say that all share one key."""
    cells = [drawn(cell(60, chain=1), A), cell(940, chain=1)]
    cells.append(behind(cell(5, chain=2, outcome=BAD), B))

    summary = summarize(recorded(cells, plan=plan))

    assert summary.backend_count is not None
    assert summary.backend_count.seen == 2
    assert "sealed with one key" not in summary.lines.asked


@pytest.mark.parametrize(("drawn_count", "told"), [(9, False), (60, True)])
def test_a_few_tickets_without_a_name_do_not_say_that_there_are_none(
    cell: Callable[..., Cell],
    recorded: Callable[..., Run],
    plan: Plan,
    *,
    drawn_count: int,
    told: bool,
) -> None:
    """Of nine from nine servers none can have come twice."""
    summary = summarize(recorded([drawn(cell(drawn_count), None), cell(900)], plan=plan))

    assert ("name no server" in summary.lines.asked) == told


def reloaded(cell: Callable[..., Cell], at: int, blocks: int = 60) -> list[Cell]:
    """Two servers, one of which has a new key from this block on."""
    cells = [behind(cell(5, block=block), A) for block in range(blocks)]
    new = "ticket key cccccccc"
    return cells + [behind(cell(5, block=n), B if n < at else new) for n in range(blocks)]


def test_a_new_key_in_the_place_of_another_is_told_with_its_time(
    cell: Callable[..., Cell], recorded: Callable[..., Run], looked: Plan
) -> None:
    summary = summarize(recorded(reloaded(cell, 30), plan=looked))

    assert summary.backend_count is not None
    (pair,) = summary.backend_count.new_keys
    assert (pair.before, pair.after) == (B, "ticket key cccccccc")
    assert pair.last < pair.first
    told = f"{B} was last met at {pair.last}, ticket key cccccccc first at {pair.first}"
    assert told in summary.lines.asked


def test_a_bad_server_that_was_reloaded_with_all_others_is_told_as_one(
    cell: Callable[..., Cell], recorded: Callable[..., Run], looked: Plan
) -> None:
    """Its two keys are a pair because of their chain: times alone would allow any pairs."""
    cells = [cell(1, chain=2, outcome=BAD)]
    for block in range(60):
        turn = "old" if block < 30 else "new"
        cells += [behind(cell(5, chain=1, block=block), f"ticket key {turn}{n}") for n in range(6)]
        cells.append(behind(cell(5, chain=2, block=block, outcome=BAD), f"ticket key {turn}-bad"))

    summary = summarize(recorded(cells, plan=looked))

    assert summary.backend_count is not None
    pairs = [(one.before, one.after) for one in summary.backend_count.new_keys]
    assert ("ticket key old-bad", "ticket key new-bad") in pairs
    assert len(pairs) == 7
    assert "All 300 whose server is known came with ticket key old-bad or, from " in (
        summary.headline
    )


@pytest.mark.parametrize("at", [1, 59])
def test_a_key_that_may_have_been_missed_by_chance_is_no_new_one(
    cell: Callable[..., Cell], recorded: Callable[..., Run], looked: Plan, at: int
) -> None:
    count = summarize(recorded(reloaded(cell, at), plan=looked)).backend_count

    assert count is not None
    assert count.new_keys == ()


def test_a_key_that_was_met_once_in_the_middle_is_no_new_one(
    cell: Callable[..., Cell], recorded: Callable[..., Run], looked: Plan
) -> None:
    cells = [behind(cell(5, block=block), A) for block in range(60)]
    cells += [behind(cell(2, block=30), B), behind(cell(2, block=31), "ticket key cccccccc")]

    count = summarize(recorded(cells, plan=looked)).backend_count

    assert count is not None
    assert count.new_keys == ()


def test_where_tickets_have_no_name_the_matrix_is_the_next_step(
    cell: Callable[..., Cell], recorded: Callable[..., Run], looked: Plan
) -> None:
    cells = [cell(50, chain=2, outcome=BAD), cell(550, chain=1)]
    named = summarize(recorded([behind(one, A) for one in cells], plan=looked))
    unnamed = summarize(recorded(cells, plan=looked))

    assert any("--backends" in one.argv for one in unnamed.commands)
    assert not any("--backends" in one.argv for one in named.commands)
