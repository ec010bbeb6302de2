"""Every hostile server, through both TLS stacks and both kinds of run."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from stress.cli.main import main
from stress.model.plan import Stack
from stress.model.run import End
from tests.hostile.conftest import LIMIT_BYTES, ROUNDS, TIMEOUT_S, TOO_BUSY, Run
from tests.servers.corpus import CORPUS, Hostile

pytestmark = pytest.mark.slow

ONE_READ = 16_384
LATE_S = 1.0
"""How much later than its deadline an attempt may end on a busy machine."""
HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@pytest.mark.parametrize("server", CORPUS, ids=lambda server: server.name)
def test_a_hostile_server_gets_the_right_outcome_and_stage(
    run: Run, stack: Stack, server: Hostile
) -> None:
    rows = run.rows[server.name]
    outcomes, stages = server.expected(stack)

    told = [row for row in rows if row.detail not in TOO_BUSY]
    assert len(rows) == ROUNDS
    assert told, "this machine was too busy in each round: nothing is known"
    assert {row.outcome for row in told} <= set(outcomes), [row.detail for row in rows]
    assert {row.stage for row in told} <= set(stages)


def test_every_attempt_ends_in_time_and_within_its_share_of_memory(run: Run) -> None:
    rows = [row for rows in run.rows.values() for row in rows]

    assert max(row.bytes_received for row in rows) <= LIMIT_BYTES + ONE_READ
    assert max(row.total_ns for row in rows) < (TIMEOUT_S + LATE_S) * 1e9


def test_the_worker_goes_on_and_every_row_is_there(run: Run) -> None:
    rows = [row for rows in run.rows.values() for row in rows]

    assert run.ending.end is End.COMPLETED
    assert sum(row.detail in TOO_BUSY for row in rows) < len(rows) / 2
    assert run.ending.started == len(rows) == ROUNDS * len(CORPUS)
    assert Counter(row.id for row in rows) == Counter(range(len(rows)))


def test_hostile_bytes_cannot_harm_the_reader_of_the_report(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["report", str(run.file)])
    main(["report", str(run.file), "--json"])
    main(["export", str(run.file), "--format", "csv"])
    main(["export", str(run.file), "--format", "jsonl"])

    shown = capsys.readouterr()
    assert "bug in tls-stress" not in shown.err
    assert not HARMFUL.search(shown.out.replace("\r\n", "\n") + shown.err)
    assert not re.search(r"(?m)(^|,)[=+@]", shown.out)


def test_the_corpus_names_each_server_once() -> None:
    assert len({server.name for server in CORPUS}) == len(CORPUS)
