"""The causes of a run are those of its export: `isolate` is the same search."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stress.cli.options import parse
from stress.errors import UsageError
from stress.lab.farm import start
from stress.lab.scenarios import scenarios
from stress.model.summary import Summary
from stress.runner.judge import AS_RECORDED
from stress.runner.observers import Display
from stress.runner.records import isolate
from stress.runner.run import RunLocation, prepare, record
from stress.store import open_run
from stress.store.export import Format, export_run
from tests.analysis.worlds import SECOND, attempt, write

UNKNOWN = frozenset({"rate"})
"""An export does not say what load was offered."""


def isolated(file: Path, folder: Path) -> tuple[Summary, Summary]:
    """The report of a run, and that of its export."""
    from stress.records.reading import Choice  # noqa: PLC0415 - as the command does

    exported = folder / f"{file.stem}.csv"
    with open_run(file) as run:
        export_run(run, Format.CSV, exported)
        ours = AS_RECORDED.summarize(run)
    path = isolate([exported], Choice(), RunLocation(folder, f"{file.stem}-again"), print)
    with open_run(path) as again:
        return ours, AS_RECORDED.summarize(again)


def told(summary: Summary, *, timed: bool) -> Sequence[object]:
    """What the causes say that an export can show, in order.

    A block of time begins with the run there and with the first attempt here, so windows may
    begin a block apart: of causes in time only their kinds are compared, and the grade, which is
    by block, of none.
    """
    causes = [cause for cause in summary.causes if cause.failures]
    named = [(one, {condition.dimension for condition in one.conditions}) for one in causes]
    if timed:
        return sorted({cause.category for cause, names in named if "time" in names})
    return [
        (
            cause.category,
            "by a chain" if cause.mechanism else "by no chain",
            cause.conditions,
            cause.failures,
            cause.attempts,
            cause.risk_ratio,
        )
        for cause, names in named
        if not names & {"time", *UNKNOWN}
    ]


def check(ours: Summary, theirs: Summary) -> None:
    assert (theirs.attempts, theirs.failures.count) == (ours.attempts, ours.failures.count)
    assert theirs.failures.categories == ours.failures.categories
    for timed in (False, True):
        assert told(theirs, timed=timed) == told(ours, timed=timed)


RULES = st.lists(
    st.fixed_dictionaries(
        {
            "address": st.none() | st.integers(0, 3),
            "client": st.none() | st.integers(0, 1),
            "version": st.none() | st.sampled_from([0x0303, 0x0304]),
            "chance": st.sampled_from([0.05, 0.3, 1.0]),
            "outcome": st.sampled_from(["reset", "eof", "refused", "cancelled", "not-sent"]),
        }
    ),
    min_size=1,
    max_size=3,
)


@pytest.mark.long
@settings(max_examples=10)
@given(rules=RULES, seed=st.integers(0, 99))
def test_an_exported_world_has_the_causes_of_its_run(
    rules: list[dict[str, object]], seed: int
) -> None:
    random, rows = Random(seed), []
    for number in range(1_500):
        place = {
            "address": random.randrange(4),
            "client": random.randrange(2),
            "version": random.choice((0x0303, 0x0304)),
        }
        met = [
            rule
            for rule in rules
            if all(rule[name] in {None, value} for name, value in place.items())
            and random.random() < float(str(rule["chance"]))
        ]
        outcome = str(met[0]["outcome"]) if met else "ok"
        odd = {"address": place["address"], "client": place["client"]}
        late = {"tls_version": place["version"]} if outcome == "ok" else {}
        due_ns = number * SECOND // 50
        rows.append(attempt(number, due_ns=due_ns, outcome=outcome, **odd, **late))
    with TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, rows).close()
        with open_run(folder / "world.db") as run:
            summary = AS_RECORDED.summarize(run)
            if not 0 < summary.failures.count < summary.attempts:
                return
        check(*isolated(folder / "world.db", folder))


A_FEW = ("round-robin-1-of-8", "ecdsa-only", "two-causes", "resets", "healthy")
"""What `make test` has time for; ALL_SCENARIOS=1 takes every one, half an hour of them."""


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("name", scenarios() if os.environ.get("ALL_SCENARIOS") else A_FEW)
def test_an_exported_scenario_has_the_causes_of_its_run(name: str, tmp_path: Path) -> None:
    with start(name) as farm:
        plan = prepare(parse(farm.run_words))
        file = record(plan, RunLocation(tmp_path, name), Display(print))

    with open_run(file) as run:
        summary = AS_RECORDED.summarize(run)
    if 0 < summary.failures.count < summary.attempts:
        check(*isolated(file, tmp_path))
    else:  # nothing, or nothing else, to compare with
        with pytest.raises(UsageError, match=r"no row failed|only failed rows"):
            isolated(file, tmp_path)
