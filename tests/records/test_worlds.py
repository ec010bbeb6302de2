"""The worlds of the simulations, written as CSV, get the verdicts that they get there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.adversarial import DENSE, WORLDS, Bursts, cube, evidence, recorded, turns
from stress.analysis.causes.isolation import isolate as search
from stress.analysis.goals.evidence import Stopping, holds
from stress.analysis.goals.goal import parse_goal
from stress.analysis.proportions.estimate import estimate
from stress.model.attributes import Dimension
from stress.model.run import End
from stress.model.summary import FAILURE, LATENCY, Summary
from stress.records.reading import Choice
from stress.runner.judge import AS_RECORDED
from stress.runner.records import isolate
from stress.runner.run import RunLocation
from stress.store import open_run
from tests.records.conftest import START, Table

STEADY = Bursts(1.0, 1e12, background=0.003)


def isolated(path: Path, choice: Choice, *assertions: str) -> Summary:
    file = isolate([path], choice, RunLocation(path.parent), lambda _line: None, assertions)
    with open_run(file) as run:
        return AS_RECORDED.summarize(run)


@pytest.mark.parametrize("world", [*WORLDS[::3], *DENSE[::3], STEADY], ids=lambda one: one.name)
def test_intervals_and_assertions_are_those_of_the_simulation(world: Bursts, table: Table) -> None:
    counts = world.run(np.random.default_rng([71, 9]))
    rows = []
    for second, (size, failed) in enumerate(zip(counts.attempts, counts.failures, strict=True)):
        rows += [(START + second, "ok", size - failed), (START + second, "reset", failed)]
    path = table("time,result,n", [row for row in rows if row[2]])
    limits = [world.truth * factor for factor in (0.3, 1.0, 3.0)]
    goals = [f"failing<{limit:.8f}" for limit in limits]

    summary = isolated(path, Choice(failed="result != ok", count="n"), *goals)

    assert summary.failures.interval == estimate(cube(counts), End.COMPLETED).interval
    known = evidence(counts, Stopping.PLANNED)
    assert [one.holds for one in summary.assertions] == [
        holds(parse_goal(goal), known).value for goal in goals
    ]


def blamed(
    table: Table, when: NDArray[np.float64], client: NDArray[np.int64], failed: NDArray[np.bool_]
) -> set[str]:
    """The columns that causes are told in."""
    rows = [
        (f"{START + at:.4f}", "abcd"[who], f"s{number % 8}", "reset" if bad else "")
        for number, (at, who, bad) in enumerate(
            zip(when.tolist(), client.tolist(), failed.tolist(), strict=True)
        )
    ]
    path = table("time,app,server,error", rows)
    summary = isolated(path, Choice(failed="error != empty"))
    return {one.dimension for cause in summary.causes for one in cause.conditions}


@pytest.mark.slow
@pytest.mark.parametrize("expected", [3, 6, 12])
def test_nobody_is_to_blame_for_bursts_in_a_mix_that_drifts(expected: int, table: Table) -> None:
    random, wrong = np.random.default_rng([75, expected]), 0
    for _ in range(4):
        when, client = turns(random)
        failed = np.zeros(len(when), dtype=np.bool_)
        for start in random.random(expected) * 599:
            inside = (when >= start) & (when < start + 0.2)
            failed |= inside & (random.random(len(when)) < random.uniform(0.2, 1.0))
        wrong += bool({"app", "server"} & blamed(table, when, client, failed))

    assert wrong == 0


@pytest.mark.slow
@pytest.mark.parametrize("failures", [12, 30, 300])
def test_who_fails_all_the_time_is_found_as_in_the_simulation(failures: int, table: Table) -> None:
    random = np.random.default_rng([78, failures])
    when, client = turns(random)
    when -= when[0]  # as a file, whose first block begins with its first row
    server = np.arange(len(when)) % 8
    names = {Dimension.CLIENT: "app", Dimension.ADDRESS: "server"}
    for guilty in (client == 1, server == 3):
        failed = guilty & (random.random(len(when)) < failures / guilty.sum())
        slices = search(*recorded(when, client, failed, block_s=1)).slices
        simulated = {Dimension(one.dimension) for part in slices for one in part.conditions}

        found = blamed(table, when, client, failed)

        assert found == {names[one] for one in simulated}
        assert failures < 300 or found


VERSIONS = [f"17.{number}" for number in range(16)]


def conditions(summary: Summary, kind: str = FAILURE) -> list[list[tuple[str, str, object]]]:
    return [
        [(one.dimension, str(one.op), one.value) for one in cause.conditions]
        for cause in summary.causes
        if cause.kind == kind
    ]


STRUCTURES: list[tuple[Callable[[str, str, int], float], list[tuple[str, str, object]]]] = [
    (
        lambda app, _server, _port: 0.3 * (app in VERSIONS[4:9]),
        [("app", "between", ("17.4", "17.8"))],
    ),
    (
        lambda app, server, _port: 0.6 * (app in VERSIONS[2:5] and server == "s3"),
        [("app", "between", ("17.2", "17.4")), ("server", "is", "s3")],
    ),
    (lambda _app, server, _port: 0.1 * (server != "s5"), [("server", "is not", "s5")]),
    (
        lambda _app, _server, port: 0.5 * (port // 2 % 4 in {0, 3}),
        [("src_port", "is", "(port // 2) mod 4 = 0 or 3")],
    ),
]


@pytest.mark.parametrize(("chance", "told"), STRUCTURES)
def test_structures_are_found_as_in_the_simulations(
    chance: Callable[[str, str, int], float], told: list[tuple[str, str, object]], table: Table
) -> None:
    random = Random(87)
    rows, inside = [], 0
    for number in range(8_000):
        app, server = random.choice(VERSIONS), f"s{random.randrange(8)}"
        port = random.randrange(32_768, 61_000)
        failed = random.random() < chance(app, server, port)
        inside += failed
        rows.append((START + number, app, server, port, "timeout" if failed else ""))
    summary = isolated(
        table("time,app,server,src_port,error", rows), Choice(failed="error != empty")
    )

    assert conditions(summary) == [told]
    assert summary.causes[0].failures == inside


SLOW: list[tuple[Callable[[int, str], bool], list[tuple[str, str, object]]]] = [
    (lambda _row, server: server == "s3", [("server", "is", "s3")]),
    (lambda _row, server: server != "s3", [("server", "is not", "s3")]),
    (lambda row, _server: 1_000 <= row < 1_400, []),
    (lambda _row, _server: False, []),
]


@pytest.mark.parametrize(("slow", "told"), SLOW)
@pytest.mark.parametrize("failing", [False, True])
def test_what_is_slower_is_found_although_nothing_fails(
    slow: Callable[[int, str], bool],
    told: list[tuple[str, str, object]],
    failing: bool,
    table: Table,
) -> None:
    random, rows = Random(83), []
    for number in range(4_000):
        server = f"s{random.randrange(8)}"
        took = 1e3 * random.lognormvariate(-4.0, 0.5) + 80 * slow(number, server)
        error = "reset" if failing and random.random() < 0.02 else ""
        rows.append((START + number, server, f"{took:.3f}", error))
    path = table("time,server,took_ms,error", rows)
    failed = "error != empty" if failing else None
    summary = isolated(path, Choice(failed=failed, latency="took_ms"))

    found = conditions(summary, LATENCY)
    if slow(1_200, "s0") and not slow(0, "s0"):
        ((dimension, how, _),) = found[0]
        assert (len(found), dimension, how) == (1, "time", "between")
    else:
        assert found == ([told] if told else [])
    if told:
        (cause,) = (one for one in summary.causes if one.kind == LATENCY)
        good = [(row, one) for row, one in enumerate(rows) if not one[3]]
        assert cause.attempts == sum(slow(row, one[1]) for row, one in good)
        assert cause.latency is not None
        assert cause.latency.there_us > cause.latency.elsewhere_us + 60_000
    if not failing:
        assert summary.failures.count == 0
        assert not found or "slower" in summary.headline


def test_values_that_were_chosen_because_they_fail_are_no_place_together(table: Table) -> None:
    """Two columns of far more values than are told apart, and failures that follow nothing."""
    random = Random(61)
    rows = [
        (
            random.choice([str(random.randrange(1_024, 65_535)), "x", "-1"]),
            f"1.{random.randrange(700)}",
            "timeout" if random.random() < 0.1 else "",
        )
        for _ in range(4_000)
    ]
    summary = isolated(table("id,build,error", rows), Choice(failed="error != empty"))

    assert conditions(summary) == []
