from __future__ import annotations

from dataclasses import replace

import pytest

from stress.model.run import JoinedLog
from stress.model.summary import (
    BackendCount,
    BackendLine,
    Interval,
    Offers,
    ResumptionGroups,
    Spread,
    Summary,
)
from stress.report.markdown import MarkdownReport
from stress.report.terminal import TerminalReport
from stress.report.wording.backends import joined_sentences, server_facts

JOINED = JoinedLog(
    files=("a.log", "b.log", "c.log", "d.log"),
    format="HAProxy",
    by_time=False,
    joined=596,
    ambiguous=3,
    unmatched=1,
    offset_ns=-258_000,
    spread_ns=979_000,
)


def test_the_counts_add_up_and_the_clocks_are_told() -> None:
    found, clocks = joined_sentences(JOINED)

    assert found == (
        "Backends: 596 of 600 (99.33%) attempts that connected were found "
        "in a.log, b.log, c.log and 1 more (HAProxy), by client port and time; "
        "3 ambiguous, 1 not in it"
    )
    assert clocks == (
        "The balancer's clock was 0.258 ms behind ours; "
        "95% of the lines are within 0.979 ms of that."
    )


@pytest.mark.parametrize(
    ("offset_ns", "words"),
    [(0, "0.000 ms ahead of"), (42_000_000_000, "42 s ahead of"), (-7_200 * 10**9, "2.0 h behind")],
)
def test_large_differences_of_clocks_have_a_fitting_unit(offset_ns: int, words: str) -> None:
    changed = JoinedLog(("a.log",), "HAProxy", True, 5, 0, 0, offset_ns, 0)

    found, clocks = joined_sentences(changed)

    assert "a suggestion" in found
    assert f"clock was {words} ours" in clocks


@pytest.mark.parametrize(
    ("offset_s", "told"),
    [(0.3, False), (86_400, True), (-7_200.8, True), (20_698, True), (3_594, False), (42, False)],
)
def test_a_difference_like_that_of_time_zones_is_a_doubt_about_the_zone(
    offset_s: float, told: bool
) -> None:
    changed = JoinedLog(("a.log",), "HAProxy", False, 5, 0, 0, round(offset_s * 10**9), 0)

    _, clocks = joined_sentences(changed)

    assert ("may be of another zone or date" in clocks) is told


COUNT = BackendCount("ticket", 38, 2, 11, 12.4, 17, 0.0758, sample=True)
SPREAD = Spread(399, 0, 33.3, by_turns=True, by="", least=None, most=None)
GROUPS = ResumptionGroups(
    *(0x0303, 480, Offers(212, 33), Offers(220, 26), 0),
    one_group=True,
    all_shared=False,
    same_key_refused=0,
    effective=8.5,
    low=5.9,
    high=12.8,
)


@pytest.fixture
def known(summary: Summary) -> Summary:
    interval = Interval(0.95, 0.93, 1.0, "exact")
    times = ("2026-11-01T10:00:00.000Z", "2026-11-01T10:00:07.000Z", "2026-11-01T10:00:02.000Z")
    bad = BackendLine("ticket key 8b9b", "ticket", None, 50, 50, interval, None, {"ab" * 32: 50})
    lines = (replace(bad, first=times[0], last=times[1], failing_since=times[2]),)
    begun = replace(summary.run, started=times[0])
    return replace(
        summary,
        run=begun,
        backends=lines,
        backend_count=COUNT,
        balancing=SPREAD,
        resumption_groups=GROUPS,
    )


def test_what_is_known_of_the_servers_is_told_in_short(known: Summary) -> None:
    assert server_facts(known) == {
        "told apart by": "the key of their session tickets",
        "named": "38 of 40 (95%), drawn at random",
        "seen": "11",
        "in all": "about 12 (95% CI 11–17)",  # noqa: RUF001 - a range
        "would be seen": "with 7.6% of the connections",
        "balancing": "servers take turns (0 of 399 connections in a row met the same server; 33 "
        "would if each were drawn anew)",
        "sessions accepted": "59 of 432 (13.7%)",
        "session groups": "about 8 (95% CI 6–13)",  # noqa: RUF001 - a range
        "failures from": "one group",
    }


def test_of_nothing_nothing_is_told(summary: Summary) -> None:
    assert server_facts(summary) == {}
    assert "Servers" not in MarkdownReport().render(summary)


def test_markdown_and_terminal_have_chain_and_time_of_a_failing_server(known: Summary) -> None:
    document = MarkdownReport().render(known)
    printed = TerminalReport().render(known)

    assert "- session groups: about 8" in document
    assert "| abababababab | 10:00:00–10:00:07 | 10:00:02 |" in document  # noqa: RUF001 - a range
    assert "chain abababababab" in printed
    assert "since 10:00:02" in printed


def test_groups_are_told_without_a_table_of_servers(known: Summary) -> None:
    document = MarkdownReport().render(replace(known, backends=(), backend_count=None))

    assert "<summary>Servers</summary>" in document
    assert "- failures from: one group" in document
