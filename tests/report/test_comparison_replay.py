"""The answer of a replay, as text and as a document."""

import json
from typing import Any

import pytest

from stress.analysis.compare.replay import Replayed, ReplayResult, ReplayVerdict
from stress.model.plan import Address, Client, Combination, Plan, Replay, Role, Target
from stress.model.run import End, RunFacts
from stress.report.comparison import LONGEST, REPLAY_SCHEMA, ReplayReport

ADDRESS = Address("127.0.0.1", 443)


@pytest.fixture
def told() -> ReplayReport:
    tried = [Combination(Role.FAILED, 0, 0, 0, 40_000 + n) for n in range(LONGEST + 3)]
    replay = Replay("night", tuple(tried * 3), 3, 60.0, ("reset",), 0.5, "All at \x1b[31ma.")
    plan = Plan(
        Target("a.test"), (ADDRESS,), (Client("generic"),), sources=("127.0.0.9",), replay=replay
    )
    facts = RunFacts(
        name="again",
        file="results/again.db",
        plan=plan,
        started_ns=0,
        ended_ns=1,
        end=End.COMPLETED,
        started=45,
        recorded=45,
        versions={},
        reasons=(),
        invalid=False,
        lag_p99_ns=None,
    )
    found = [Replayed(one, 3, 3) for one in tried]
    return ReplayReport(
        facts, [ADDRESS], found, ReplayResult(ReplayVerdict.FOLLOWS, 0.001, "It follows.")
    )


def test_the_answer_comes_first_then_the_combinations(told: ReplayReport) -> None:
    lines = told.text().splitlines()

    assert lines[0].split(maxsplit=1) == ["follows", "It follows."]
    assert "60 s between the rounds" in told.text()
    assert told.text().count("3 of 3") == LONGEST
    assert "client generic, source 127.0.0.9, local port 40000" in told.text()
    assert "and 3 more combinations" in told.text()
    assert max(map(len, lines)) <= 100


def test_the_document_has_every_combination(told: ReplayReport) -> None:
    document: Any = json.loads(told.document())

    assert (document["schema"], document["answer"]) == (REPLAY_SCHEMA, "follows")
    assert len(document["combinations"]) == LONGEST + 3
    assert document["combinations"][0] == {
        "role": "failed",
        "address": "127.0.0.1:443",
        "client": "generic",
        "source": "127.0.0.9",
        "local_port": 40_000,
        "tries": 3,
        "failures": 3,
    }


def test_nothing_hostile_reaches_the_terminal(told: ReplayReport) -> None:
    assert "\x1b" not in told.text() + told.document()
