"""The far side alone: the initiator vanishes, falls silent, or never says *Go*."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import time_ns

import pytest

from stress.model.plan import Load, Plan
from stress.model.run import End, Progress
from stress.store import open_run
from stress.vantage import messages
from stress.vantage.far import LOOK_S, SILENT_LOOKS
from tests.cli.conftest import Ask
from tests.vantage.conftest import FarSide


@pytest.fixture
def long_plan(plan_40: Plan) -> Plan:
    return replace(plan_40, load=Load(None, 600.0, 4, 20.0), goals=("failing<50%",))


def end_of(path: str) -> tuple[End, int, int]:
    with open_run(Path(path)) as run:
        facts = run.facts()
    return facts.end, facts.recorded, facts.ended_ns or 0


def told_of(far: FarSide) -> Progress:
    """The next progress."""
    while (progress := far.hear(messages.News).progress) is None:
        pass
    return progress


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("how", ["closed", "silent"])
def test_a_part_whose_initiator_is_gone_ends_as_interrupted_with_its_file_whole(
    how: str, long_plan: Plan, far_side: Callable[[], FarSide]
) -> None:
    far = far_side()
    ready = far.prepare(long_plan)
    far.say(messages.Go(time_ns()))
    while not told_of(far).ended:
        pass
    far.silent.set()
    if how == "closed":
        far.link.close()
    code = far.process.wait()
    end, recorded, _ = end_of(ready.file)

    assert code == 1
    assert end is End.INTERRUPTED
    assert recorded > 0
    assert SILENT_LOOKS * LOOK_S < 5


@pytest.mark.long
@pytest.mark.slow
def test_a_part_that_was_lost_is_continued_where_it_is_and_merged(
    plan_40: Plan, far_side: Callable[[], FarSide], tmp_path: Path, ask: Ask
) -> None:
    far = far_side()
    ready = far.prepare(replace(plan_40, load=Load(40, None, 4, 20.0)), rows_home=False)
    far.say(messages.Go(time_ns()))
    while told_of(far).ended < 5:
        pass
    far.link.close()
    far.process.wait()
    continued = ask("run", "--continue", ready.file, "--results", tmp_path, "-q")
    (file,) = (path for path in tmp_path.glob("*.db"))
    joined = ask("merge", file, "--rows", "there", "--name", "all", "--json", "--results", tmp_path)
    document = json.loads(joined.out)

    assert continued.code == 1, continued.err
    assert end_of(str(file))[:2] == (End.COMPLETED, 40)
    assert [(one["name"], one["attempts"]) for one in document["vantages"]] == [("fra", 40)]
    with open_run(file) as run:
        facts = run.facts()
    assert facts.begun_ns == facts.started_ns


@pytest.mark.slow
@pytest.mark.long
def test_without_go_nothing_is_dialled_and_nothing_stays(
    long_plan: Plan, far_side: Callable[[], FarSide], tmp_path: Path
) -> None:
    far = far_side()
    ready = far.prepare(long_plan)
    far.link.close()
    code = far.process.wait()

    assert code == 1
    assert ready.file.startswith(str(tmp_path))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.long
@pytest.mark.slow
def test_goals_are_not_judged_by_a_part_and_a_reason_from_home_stops_it(
    long_plan: Plan, far_side: Callable[[], FarSide]
) -> None:
    far = far_side()
    ready = far.prepare(replace(long_plan, goals=("failures>=1",)), records=False)
    far.say(messages.Go(time_ns()))
    while told_of(far).failed < 3:  # the goal would have ended it at the first
        pass
    far.say(messages.Stop("enough"))
    far.hear(messages.Ended)
    end, recorded, _ = end_of(ready.file)
    with open_run(Path(ready.file)) as run:
        reasons = run.facts().reasons

    assert end is End.STOPPED
    assert recorded >= 3
    assert "enough" in reasons
