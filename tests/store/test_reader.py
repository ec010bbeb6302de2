"""A run answers what was written into it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stress.measure import Histogram
from stress.model.chain import Chain, Verdict
from stress.model.plan import Plan
from stress.model.record import Record
from stress.model.run import End, Phase, PortCount, Run, RunEnd, RunFacts, SeenChain
from stress.store import RunFile, RunWriter, open_run


@pytest.fixture
def records(
    make_record: Callable[..., Record],
    incomplete: Callable[[int], Record],
    refused: Callable[[int], Record],
) -> list[Record]:
    """Ended out of order: good, incomplete, refused, ours and not sent."""
    unsent = refused(6)._replace(outcome="not-sent", local_port=None, detail=None, connect_ns=None)
    ours = refused(7)._replace(outcome="local-ports", local_port=None, connect_ns=None)
    return [
        make_record(1),
        make_record(0),
        refused(4),
        incomplete(3),
        incomplete(2),
        make_record(5, detail="a note on a good one"),
        unsent,
        ours,
    ]


@pytest.fixture
def run(write_run: Callable[..., Path], records: list[Record]) -> Iterator[RunFile]:
    with open_run(write_run(records)) as run:
        yield run


def test_a_run_file_is_a_run(run: RunFile) -> None:
    asked: Run = run

    assert asked.facts().recorded == 8


def test_facts_are_as_the_engine_gave_them(
    tmp_path: Path, open_writer: Callable[..., RunWriter], plan: Plan, started_ns: int
) -> None:
    writer = open_writer()
    reasons = ("the generator was saturated", "41% lag")
    writer.finish(RunEnd(End.INTERRUPTED, started_ns + 5, 12, reasons, True, 1234))
    with open_run(tmp_path / "run.db") as run:
        facts = run.facts()

    assert facts == RunFacts(
        name="run",
        file=str(tmp_path / "run.db"),
        plan=replace(plan, trust=replace(plan.trust, anchors=())),
        started_ns=started_ns,
        ended_ns=started_ns + 5,
        end=End.INTERRUPTED,
        started=12,
        recorded=0,
        versions={"tls-stress": "0.1"},
        reasons=reasons,
        invalid=True,
        lag_p99_ns=1234,
        host="here",
    )


def test_private_anchors_come_back(tmp_path: Path, plan: Plan) -> None:
    private = replace(plan, trust=replace(plan.trust, private=True))
    path = tmp_path / "run.db"
    RunWriter(path, private, started_ns=1, versions={}, host="").close()
    with open_run(path) as run:
        assert run.facts().plan == private


def test_addresses_come_back_by_index(run: RunFile, plan: Plan) -> None:
    assert run.addresses() == list(plan.addresses)


def test_chains_come_with_what_was_seen_of_them(
    run: RunFile, chains: tuple[Chain, Chain], started_ns: int
) -> None:
    whole, leaf = chains
    ms = 1_000_000

    assert run.chains() == [
        SeenChain(1, whole.sha256, whole.certificates, 3, started_ns, started_ns + 5 * ms),
        SeenChain(2, leaf.sha256, leaf.certificates, 2, started_ns + 2 * ms, started_ns + 3 * ms),
    ]


def test_verdicts_come_back_whole(run: RunFile, verdict: Verdict) -> None:
    assert run.verdicts() == [verdict]


def test_the_cube_counts_every_attempt(run: RunFile, started_ns: int) -> None:
    cube = run.cube()
    by_outcome = {
        outcome: sum(cell.count for cell in cube.cells if cell.outcome == outcome)
        for outcome in ("ok", "incomplete-chain", "refused", "not-sent", "local-ports")
    }

    assert by_outcome == {
        "ok": 3,
        "incomplete-chain": 2,
        "refused": 1,
        "not-sent": 1,
        "local-ports": 1,
    }
    assert cube.block_ns == 1_000_000_000


def test_ports_leave_out_what_says_nothing_about_the_target(run: RunFile) -> None:
    assert run.ports() == [
        PortCount(40_000, 1, 0),
        PortCount(40_001, 1, 0),
        PortCount(40_002, 1, 1),
        PortCount(40_003, 1, 1),
        PortCount(40_004, 1, 1),
        PortCount(40_005, 1, 0),
    ]


def test_histograms_tell_good_from_failed(run: RunFile) -> None:
    rows = run.histograms()
    counts = {(row.phase, row.good, row.block): Histogram.decode(row.hdr).count for row in rows}

    assert counts[Phase.SERVER, True, -1] == counts[Phase.SERVER, True, 0] == 3
    assert counts[Phase.SERVER, False, -1] == 2
    assert counts[Phase.CONNECT, False, -1] == 3
    assert counts[Phase.TOTAL, False, -1] == 4
    assert len([row for row in rows if row.block == -1]) == 2 * len(Phase)
    assert run.histogram_block_ns() == 1_000_000_000


def test_failures_are_those_of_the_target_by_id(run: RunFile, records: list[Record]) -> None:
    failed = [records[4], records[3], records[2]]

    assert list(run.failures(10)) == failed
    assert list(run.failures(2)) == failed[:2]
    assert list(run.failures(0)) == []


def test_all_records_come_back_as_they_ended(run: RunFile, records: list[Record]) -> None:
    assert list(run.records()) == records


def test_the_view_speaks_to_people(run: RunFile, started_ns: int) -> None:
    names, rows = run.handshakes()
    first = dict(zip(names, next(iter(rows)), strict=True))

    assert (
        first.items()
        >= {
            "id": 1,
            "due_ns": started_ns + 1_000_000,
            "started_ns": started_ns + 1_000_000,
            "address": "[2001:db8::1]:443",
            "label": None,
            "source": None,
            "local_port": 40_001,
            "client": "generic",
            "outcome": "ok",
            "stage": "finished",
            "chain": 1,
            "tls_version": "TLS 1.3",
            "cipher": "TLS_AES_128_GCM_SHA256",
            "key_group": "x25519",
            "alpn": None,
            "resumed": 0,
            "connect_ns": 120_000,
            "server_ns": 1_500_001,
            "handshake_ns": 1_800_001,
            "total_ns": 2_000_001,
            "lag_ns": 40_000,
            "bytes_received": 3021,
            "segment": 0,
            "flags": 0,
            "detail": None,
        }.items()
    )


def test_any_sqlite_tool_sees_the_failures_and_the_sums(
    write_run: Callable[..., Path], records: list[Record]
) -> None:
    connection = sqlite3.connect(write_run(records))
    failures = connection.execute("SELECT id, outcome, detail FROM failures ORDER BY id").fetchall()
    seen = connection.execute("SELECT chain, certificates, seen, outcomes FROM chains_seen")
    addresses = connection.execute("SELECT address, label, attempts, failures FROM by_address")
    answers = seen.fetchall(), addresses.fetchall()
    connection.close()

    assert failures == [
        (2, "incomplete-chain", None),
        (3, "incomplete-chain", None),
        (4, "refused", "ECONNREFUSED"),
    ]
    assert answers == (
        [(1, 2, 3, "ok"), (2, 1, 2, "incomplete-chain")],
        [("192.0.2.1:443", "blue", 3, 2), ("[2001:db8::1]:443", None, 3, 1)],
    )


def test_an_empty_run_answers_too(write_run: Callable[..., Path]) -> None:
    with open_run(write_run([])) as run:
        assert run.facts().recorded == 0
        assert (list(run.cube().cells), list(run.ports()), list(run.failures(5))) == ([], [], [])
        assert [row.block for row in run.histograms()] == [-1] * 12


def test_closing_twice_is_no_error(write_run: Callable[..., Path]) -> None:
    run = open_run(write_run([]))
    run.close()
    run.close()


@pytest.mark.parametrize("rate", [None, 50.0])
@pytest.mark.parametrize("ended", [True, False])
def test_a_run_lasts_from_its_first_attempt_to_its_last(
    rate: float | None,
    ended: bool,
    tmp_path: Path,
    plan: Plan,
    verdict: Verdict,
    chains: tuple[Chain, Chain],
    make_record: Callable[..., Record],
    started_ns: int,
) -> None:
    """Recounted from the rows, which come in the order in which attempts ended."""
    records = [
        make_record(n)._replace(due_ns=due, started_ns=due + (n % 3) * 1_000, total_ns=9_000 - n)
        for n, due in enumerate(range(started_ns + 10_000, started_ns + 60_000, 1_000))
    ]
    paced = replace(plan, load=replace(plan.load, rate=rate))
    path = tmp_path / "run.db"
    writer = RunWriter(path, paced, started_ns=started_ns, versions={}, host="here")
    writer.add_chain(chains[0], [])
    writer.add_chain(chains[1], [verdict])
    writer.add_records(records[::-1])
    if ended:
        writer.finish(RunEnd(End.COMPLETED, started_ns + 10**9, len(records)))
    else:
        writer.commit(len(records))
    with open_run(path) as run:
        facts = run.facts()
    if not ended:
        writer.close()

    due = [each.due_ns for each in records]
    ends = [each.due_ns + each.total_ns for each in records]
    assert (facts.first_ns, facts.last_ns) == (min(due), max(due if rate else ends))
