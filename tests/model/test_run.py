"""What a run answers is named as the reports and the run file name it."""

from __future__ import annotations

from stress.model.run import End, Phase


def test_the_phases_are_those_of_the_latency_table() -> None:
    assert [phase.value for phase in Phase] == [
        "connect",
        "server",
        "handshake",
        "total",
        "attempt",
        "lag",
    ]


def test_a_run_without_an_end_mark_has_a_name_too() -> None:
    assert End("unfinished") is End.UNFINISHED
