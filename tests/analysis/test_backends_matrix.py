"""Groups of servers are told by the sessions that they accept, and never more than was seen."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from stress.analysis.backends import groups
from stress.model.plan import Plan
from stress.model.run import Cell, Probe, ResumptionMatrix, Run
from stress.report.wording.backends import group_words


def played(
    seed: int,
    nodes: int = 12,
    bad: frozenset[int] = frozenset({0}),
    group: Callable[[int], int] = lambda node: node,
    forgets: float = 0.0,
) -> ResumptionMatrix:
    """What 480 connections to a farm show, drawn and offered as the engine does."""
    chance = random.Random(seed)
    probes: list[Probe] = []
    met: list[int] = []
    pools: dict[bool, list[int]] = {True: [], False: []}
    for number in range(480):
        node, offered, resumed = chance.randrange(nodes), None, False
        full = [pool for pool in pools.values() if pool]
        if number >= 48 and full:
            offered = chance.choice(chance.choice(full))
            resumed = group(met[offered]) == group(node) and chance.random() >= forgets
        failed = probes[offered].failed if resumed and offered is not None else node in bad
        met.append(node)
        probes.append(Probe(0, 40_000 + number, offered, resumed, failed))
        if not resumed and len(pools[failed]) < 24:
            pools[failed].append(number)
    return ResumptionMatrix(0x0303, tuple(probes))


def test_one_bad_server_of_twelve_is_one_group_and_they_are_counted() -> None:
    found = [groups(played(seed)) for seed in range(40)]

    assert sum(one.one_group for one in found) >= 38
    assert not any(one.refused_and_failed or one.all_shared for one in found)
    inside = [one.low is not None and one.high and one.low <= 12 <= one.high for one in found]
    assert sum(map(bool, inside)) >= 36


def test_two_bad_servers_are_never_said_to_be_one() -> None:
    assert not any(groups(played(seed, bad=frozenset({0, 5}))).one_group for seed in range(40))


def test_a_rare_second_bad_server_keeps_it_from_being_said() -> None:
    """Of 12 servers 2 are bad, one of which shares its sessions with a good one."""
    found = [
        groups(played(seed, bad=frozenset({0, 5}), group=lambda node: node % 6))
        for seed in range(20)
    ]

    assert not any(one.one_group for one in found)


def test_servers_that_share_are_one_group() -> None:
    found = groups(played(1, group=lambda _: 0))

    assert found.all_shared
    assert found.effective == pytest.approx(1.0)


def test_servers_that_forget_are_no_one_group() -> None:
    assert not groups(played(2, forgets=1.0)).one_group
    assert groups(played(2, forgets=1.0)).effective is None


def test_a_damaged_file_names_a_probe_that_is_not_there() -> None:
    found = groups(ResumptionMatrix(0x0303, (Probe(0, 1, offered=77, resumed=True),)))

    assert found.connections == 1


@pytest.fixture
def words(
    cell: Callable[..., Cell], recorded: Callable[..., Run], plan: Plan
) -> Callable[..., str]:
    def told(matrix: ResumptionMatrix | None) -> str:
        facts = recorded([cell(5)], plan=plan).facts()
        return group_words(groups(matrix) if matrix else None, facts)

    return told


def test_the_words_follow_the_counts(words: Callable[[ResumptionMatrix | None], str]) -> None:
    assert words(None) == ""
    assert "No session was given" in words(ResumptionMatrix(0x0303, ()))
    assert "tls-stress join lab LOG" in words(played(1, group=lambda _: 0))
    assert "all failures come from one server, or one group" in words(played(3))
    assert "several groups of servers fail" in words(played(3, bad=frozenset({0, 5})))
    assert "there are many groups of servers, or none resumes" in words(played(4, forgets=1.0))
