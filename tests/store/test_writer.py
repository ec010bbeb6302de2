"""The writer: what is taken is in the file, whatever happens to the process or the disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stress.errors import RecordError
from stress.model.chain import Chain
from stress.model.outcome import Category, Outcome
from stress.model.plan import Address, Plan
from stress.model.record import Record
from stress.model.run import End, RunEnd
from stress.store import RunWriter, open_run
from stress.store.schema import WORTH_KEEPING

STARTED_NS = 1_700_000_000_000_000_000
OUTCOMES = [Outcome(c).name for c in Category if c is not Category.ALERT] + ["alert-40"]

maybe_ns = st.none() | st.integers(0, 2**40)
texts = st.text(st.characters(codec="utf-8"), max_size=12)
records = st.builds(
    Record,
    id=st.integers(0, 2**40),
    due_ns=st.integers(STARTED_NS, STARTED_NS + 2**47),
    started_ns=st.integers(STARTED_NS, STARTED_NS + 2**47),
    address=st.integers(0, 3),
    source=st.none() | st.integers(0, 3),
    local_port=st.none() | st.integers(1, 65535),
    client=st.integers(0, 2),
    outcome=st.sampled_from(OUTCOMES),
    stage=st.integers(0, 6),
    chain=st.none() | st.sampled_from([bytes([n]) * 32 for n in range(3)]),
    tls_version=st.none() | st.sampled_from([0x0301, 0x0303, 0x0304]),
    cipher=st.none() | st.integers(0, 0xFFFF),
    key_group=st.none() | st.integers(0, 0xFFFF),
    alpn=st.none() | texts,
    resumed=st.none() | st.booleans(),
    connect_ns=maybe_ns,
    server_ns=maybe_ns,
    handshake_ns=maybe_ns,
    total_ns=st.integers(0, 2**40),
    lag_ns=maybe_ns,
    bytes_received=st.integers(0, 2_000_000),
    segment=st.integers(0, 5),
    flags=st.integers(0, 7),
    detail=st.none() | texts,
    hello_retry=st.none() | st.booleans(),
    offered=st.none() | st.booleans(),
    tcp_retransmits=st.none() | st.integers(1, 2**31),
    backend=st.none() | texts,
    starttls_ns=maybe_ns,
    proxy_ns=maybe_ns,
    sampled=st.none() | st.booleans(),
    vantage=st.none() | st.integers(0, 3),
)


@pytest.mark.long
@pytest.mark.slow
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(records, max_size=8), max_size=4))
def test_records_come_out_as_they_went_in(plan: Plan, batches: list[list[Record]]) -> None:
    everything = [record for batch in batches for record in batch]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "run.db"
        writer = RunWriter(path, plan, started_ns=STARTED_NS, versions={}, host="")
        for batch in batches:
            writer.add_records(batch)
            writer.commit(len(everything))
        writer.finish(RunEnd(End.COMPLETED, STARTED_NS, len(everything)))
        with open_run(path) as run:
            assert list(run.records()) == everything
            failures = list(run.failures(100))
            cells = run.cube().cells

    failed = [r for r in everything if Outcome.parse(r.outcome).side.value == "target"]
    assert sorted(failures, key=repr) == sorted(failed, key=repr)
    assert [r.id for r in failures] == sorted(r.id for r in failed)
    assert sum(cell.count for cell in cells) == len(everything)


def test_the_finished_run_is_one_file_for_its_owner_alone(
    tmp_path: Path, write_run: Callable[..., Path], make_record: Callable[..., Record]
) -> None:
    path = write_run([make_record(1)])

    assert [found.name for found in tmp_path.iterdir()] == ["run.db"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_files_beside_a_running_run_are_private_too(
    tmp_path: Path, open_writer: Callable[..., RunWriter]
) -> None:
    writer = open_writer()
    modes = {found.stat().st_mode & 0o777 for found in tmp_path.iterdir()}
    writer.close()

    assert modes == {0o600}


def test_a_run_can_be_read_while_it_goes_on(
    tmp_path: Path,
    open_writer: Callable[..., RunWriter],
    make_record: Callable[..., Record],
    completed: Callable[[int], RunEnd],
) -> None:
    writer = open_writer()
    writer.add_records([make_record(0), make_record(1)])
    writer.commit(5)
    with open_run(tmp_path / "run.db") as run:
        writer.add_records([make_record(2)])
        writer.commit(6)
        facts = run.facts()
        rows = len(list(run.records()))
    writer.add_records([make_record(3)])
    writer.finish(completed(6))
    with open_run(tmp_path / "run.db") as run:
        later = run.facts()

    assert (facts.end, facts.ended_ns, facts.started) == (End.UNFINISHED, None, 5)
    assert (facts.recorded, rows) == (2, 2)
    assert (later.end, later.recorded) == (End.COMPLETED, 4)


def test_a_reader_that_holds_on_does_not_stop_the_end(
    tmp_path: Path,
    open_writer: Callable[..., RunWriter],
    make_record: Callable[..., Record],
    completed: Callable[[int], RunEnd],
) -> None:
    """Who leaves last makes one file of it."""
    writer = open_writer()
    writer.add_records([make_record(0)])
    writer.commit(1)
    run = open_run(tmp_path / "run.db")
    writer.finish(completed(1))
    run.close()

    assert [found.name for found in tmp_path.iterdir()] == ["run.db"]
    with open_run(tmp_path / "run.db") as run:
        assert run.facts().end is End.COMPLETED


def test_what_was_taken_is_saved_when_the_run_is_closed_without_an_end(
    tmp_path: Path, open_writer: Callable[..., RunWriter], make_record: Callable[..., Record]
) -> None:
    writer = open_writer()
    writer.add_records([make_record(0)])
    writer.close()
    writer.close()
    with open_run(tmp_path / "run.db") as run:
        facts = run.facts()

    assert (facts.end, facts.recorded) == (End.UNFINISHED, 1)


def test_a_closed_run_takes_nothing_more(
    open_writer: Callable[..., RunWriter], make_record: Callable[..., Record]
) -> None:
    writer = open_writer()
    writer.close()

    with pytest.raises(RecordError, match="closed"):
        writer.add_records([make_record(0)])


def test_a_chain_that_nobody_announced_is_kept_by_its_hash(
    write_run: Callable[..., Path], make_record: Callable[..., Record]
) -> None:
    with open_run(write_run([make_record(0, chain=b"?" * 32)])) as run:
        (seen,) = run.chains()

    assert (seen.sha256, seen.certificates, seen.seen) == (b"?" * 32, (), 1)


def test_a_chain_that_is_seen_again_is_not_stored_again(
    tmp_path: Path,
    open_writer: Callable[..., RunWriter],
    chains: tuple[Chain, Chain],
    completed: Callable[[int], RunEnd],
) -> None:
    writer = open_writer()
    writer.add_chain(chains[1], [])
    writer.add_address(0, Address("192.0.2.1", 443, "green"))
    writer.finish(completed(0))
    connection = sqlite3.connect(tmp_path / "run.db")
    counts = [
        connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for table in ("chain", "certificate", "chain_certificate", "verdict", "finding", "address")
    ]
    connection.close()

    assert counts == [2, 2, 3, 1, 2, 2]


def test_text_that_cannot_be_stored_is_replaced(
    write_run: Callable[..., Path], make_record: Callable[..., Record]
) -> None:
    odd = make_record(0, alpn="h2\udcff", detail="\udc80\x00\x1b[2J")
    with open_run(write_run([odd])) as run:
        (record,) = run.records()

    assert (record.alpn, record.detail) == ("h2?", "?\x00\x1b[2J")


def test_a_file_deleted_under_the_run_is_told(
    tmp_path: Path, open_writer: Callable[..., RunWriter], make_record: Callable[..., Record]
) -> None:
    writer = open_writer()
    (tmp_path / "run.db").unlink()
    writer.add_records([make_record(0)])

    with pytest.raises(RecordError, match="deleted or replaced"):
        writer.commit(1)
    assert writer.unwritten == 1
    writer.close()


@pytest.mark.slow
def test_a_row_costs_at_most_64_bytes(
    write_run: Callable[..., Path],
    make_record: Callable[..., Record],
    incomplete: Callable[[int], Record],
) -> None:
    """With ports, latencies and starts as they vary in an open loop, over half a minute."""
    rows = 20_000
    many = []
    for number in range(rows):
        vary = (number * 2_654_435_761) % 3_000_000
        made = incomplete(number) if number % 300 == 0 else make_record(number)
        many.append(
            made._replace(
                due_ns=STARTED_NS + number * 1_500_000,
                started_ns=STARTED_NS + number * 1_500_000 + vary,
                local_port=32_768 + vary % 28_000,
                client=number % 2,
                connect_ns=100_000 + vary // 20,
                server_ns=8_500_000 + vary,
                handshake_ns=9_000_000 + vary,
                total_ns=9_500_000 + vary * 2,
                lag_ns=vary // 3,
            )
        )
    path = write_run(many)

    assert path.stat().st_size / rows <= 64


@pytest.mark.slow
def test_a_large_run_stores_the_counts_that_a_reader_would_have_made(
    tmp_path: Path,
    write_run: Callable[..., Path],
    make_record: Callable[..., Record],
    refused: Callable[[int], Record],
) -> None:
    thousands = [[refused(n)] * 3 + [make_record(n)] * 997 for n in range(0, 90_000, 900)]
    many = [record for thousand in thousands for record in thousand]
    assert len(many) >= WORTH_KEEPING
    path = write_run(many)
    with open_run(path) as run:
        stored = (run.ports(), sorted(run.histograms(), key=repr), run.histogram_block_ns())
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM port")
    connection.execute("DELETE FROM histogram")
    connection.execute("DELETE FROM meta WHERE key = 'histogram_block_ns'")
    connection.commit()
    connection.close()
    with open_run(path) as run:
        recounted = (run.ports(), sorted(run.histograms(), key=repr), run.histogram_block_ns())

    assert stored == recounted
