"""Answers that real servers gave once, replayed through both TLS libraries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stress.handshake import HangUp, State
from tests.handshake.conftest import Begin

ROWS: list[dict[str, str]] = json.loads(Path(__file__).with_name("transcripts.json").read_text())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["name"]))
@pytest.mark.parametrize("cut", [1, 100_000])
def test_a_recorded_answer_ends_as_it_did(fresh: Begin, row: dict[str, str], cut: int) -> None:
    machine = fresh(versions=(int(row["version"], 16),))
    step = machine.begin()
    answer = bytes.fromhex(row["answer"])

    for at in range(0, len(answer), cut):
        step = machine.receive(answer[at : at + cut])
    if step.state is State.WAITING:
        machine.hang_up(HangUp.EOF)

    facts = machine.facts()
    assert (facts.outcome.name, facts.stage.label) == (row["outcome"], row["stage"])
