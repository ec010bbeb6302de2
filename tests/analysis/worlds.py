"""Small recorded runs, written with the store's own writer, for tests that read them back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from stress.model.chain import Chain, Verdict
from stress.model.outcome import Stage
from stress.model.plan import Address, Client, Load, Plan, Target, Trust
from stress.model.record import Record
from stress.model.run import End, RunEnd
from stress.store import RunFile, RunWriter, open_run

SECOND = 1_000_000_000
BEGUN = 1_790_000_000 * SECOND
FARM = tuple(Address(f"10.0.3.{number}", 443, f"node-{number}") for number in range(1, 5))
CLIENTS = (Client("generic"), Client("chrome"))
PLAN = Plan(
    Target("lab.test", 443),
    FARM,
    CLIENTS,
    load=Load(count=1000, concurrency=64, rate=100.0),
    trust=Trust(host="lab.test", anchors_from="ca.pem", private=True, anchors=(b"",)),
    server_name="lab.test",
)


def attempt(number: int, *, due_ns: int, outcome: str = "ok", **odd: object) -> Record:
    """An attempt that was due so long after the begin of the run; the case says what is odd."""
    finished = outcome == "ok"
    row = Record(
        id=number,
        due_ns=BEGUN + due_ns,
        started_ns=BEGUN + due_ns,
        address=0,
        source=None,
        local_port=40_000 + number % 20_000,
        client=0,
        outcome=outcome,
        stage=Stage.FINISHED if finished else Stage.CLIENT_HELLO,
        chain=None,
        tls_version=0x0304 if finished else None,
        cipher=0x1301 if finished else None,
        key_group=29 if finished else None,
        alpn=None,
        resumed=False if finished else None,
        connect_ns=1_000_000,
        server_ns=2_000_000 if finished else None,
        handshake_ns=3_000_000 if finished else None,
        total_ns=5_000_000,
        lag_ns=1000,
        bytes_received=100,
        segment=0,
        flags=0,
        detail=None,
    )
    return row._replace(**odd)  # type: ignore[arg-type] # a test's shorthand


def write(
    folder: Path,
    records: Iterable[Record],
    *,
    chains: Sequence[Chain] = (),
    verdicts: Sequence[Verdict] = (),
    plan: Plan = PLAN,
    ended_ns: int | None = None,
) -> RunFile:
    """The run file of these attempts, opened; it ends with the last of them unless told."""
    path, rows = folder / "world.db", list(records)
    path.unlink(missing_ok=True)
    writer = RunWriter(path, plan, started_ns=BEGUN, versions={"tls-stress": "test"}, host="")
    for index, address in enumerate(plan.addresses):
        writer.add_address(index, address)
    for chain in chains:
        writer.add_chain(chain, [one for one in verdicts if one.chain == chain.sha256])
    for begin in range(0, len(rows), 1000):
        writer.add_records(rows[begin : begin + 1000])
    last = max((row.due_ns + row.total_ns for row in rows), default=BEGUN)
    writer.commit(len(rows))
    writer.finish(RunEnd(End.COMPLETED, last if ended_ns is None else BEGUN + ended_ns, len(rows)))
    writer.close()
    return open_run(path)
