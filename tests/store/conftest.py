"""A small run to write and read: one plan, records with odd parts, two chains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest

from stress.model.chain import Chain, Finding, Refusal, Verdict
from stress.model.outcome import Category
from stress.model.plan import Address, Client, Plan, Target, Trust
from stress.model.record import Record
from stress.model.run import End, RunEnd
from stress.store import RunWriter

STARTED_NS = 1_700_000_000_000_000_000
WHOLE = Chain((b"leaf", b"intermediate"))
LEAF_ONLY = Chain((b"leaf",))


class WriteRun(Protocol):
    def __call__(
        self, records: Sequence[Record], *, name: str = "run", started_ns: int = STARTED_NS
    ) -> Path: ...


@pytest.fixture
def started_ns() -> int:
    return STARTED_NS


@pytest.fixture
def chains() -> tuple[Chain, Chain]:
    """The whole chain and the leaf alone."""
    return WHOLE, LEAF_ONLY


@pytest.fixture
def verdict() -> Verdict:
    """Of the leaf alone."""
    missing = Finding(Category.INCOMPLETE_CHAIN, None, "the issuer was not sent")
    weak = Finding(Category.WEAK_KEY, 0, "RSA with 1024 bits", Refusal.SOMETIMES)
    return Verdict(LEAF_ONLY.sha256, "any", "x.example", 1_700_000_000, (missing, weak), ("ios",))


@pytest.fixture
def plan() -> Plan:
    return Plan(
        target=Target("x.example"),
        addresses=(Address("192.0.2.1", 443, "blue"), Address("2001:db8::1", 443)),
        clients=(Client("generic", "as the stack is"), Client("ios", policy="apple")),
        trust=Trust(host="x.example", anchors=(b"anchor-1", b"anchor-2")),
        sources=("127.0.0.1", "127.0.0.2"),
        server_name="x.example",
        seed=7,
    )


@pytest.fixture
def make_record() -> Callable[..., Record]:
    """A good record of this number; the case says what is odd."""

    def make(number: int, **odd: Any) -> Record:
        due_ns = STARTED_NS + number * 1_000_000
        good = Record(
            id=number,
            due_ns=due_ns,
            started_ns=due_ns,
            address=number % 2,
            source=None,
            local_port=40_000 + number % 1000,
            client=0,
            outcome="ok",
            stage=5,
            chain=WHOLE.sha256,
            tls_version=0x0304,
            cipher=0x1301,
            key_group=29,
            alpn=None,
            resumed=False,
            connect_ns=120_000,
            server_ns=1_500_000 + number,
            handshake_ns=1_800_000 + number,
            total_ns=2_000_000 + number,
            lag_ns=40_000,
            bytes_received=3021,
            segment=0,
            flags=0,
            detail=None,
        )
        return good._replace(**odd)

    return make


@pytest.fixture
def incomplete(make_record: Callable[..., Record]) -> Callable[[int], Record]:
    """A record of this number that got the leaf alone."""

    def make(number: int) -> Record:
        return make_record(number, outcome="incomplete-chain", chain=LEAF_ONLY.sha256)

    return make


@pytest.fixture
def refused(make_record: Callable[..., Record]) -> Callable[[int], Record]:
    """A record of this number whose connection was refused."""

    def make(number: int) -> Record:
        unreached = dict.fromkeys(
            ("chain", "tls_version", "cipher", "key_group", "resumed", "server_ns", "handshake_ns")
        )
        return make_record(
            number, outcome="refused", stage=1, bytes_received=0, detail="ECONNREFUSED", **unreached
        )

    return make


@pytest.fixture
def open_writer(tmp_path: Path, plan: Plan, verdict: Verdict) -> Callable[..., RunWriter]:
    """A writer that knows the addresses and the chains of the plan."""

    def make(path: Path | None = None, started_ns: int = STARTED_NS) -> RunWriter:
        writer = RunWriter(
            path or tmp_path / "run.db",
            plan,
            started_ns=started_ns,
            versions={"tls-stress": "0.1"},
            host="here",
        )
        for index, address in enumerate(plan.addresses):
            writer.add_address(index, address)
        writer.add_chain(WHOLE, [])
        writer.add_chain(LEAF_ONLY, [verdict])
        return writer

    return make


@pytest.fixture
def completed() -> Callable[[int], RunEnd]:
    """The end of a run with so many attempts."""

    def make(started: int) -> RunEnd:
        return RunEnd(End.COMPLETED, STARTED_NS + 60_000_000_000, started)

    return make


@pytest.fixture
def write_run(
    tmp_path: Path,
    open_writer: Callable[[Path, int], RunWriter],
    completed: Callable[[int], RunEnd],
) -> WriteRun:
    """The path of a finished run with these records."""

    def write(
        records: Sequence[Record], *, name: str = "run", started_ns: int = STARTED_NS
    ) -> Path:
        path = tmp_path / f"{name}.db"
        writer = open_writer(path, started_ns)
        writer.add_records(records)
        writer.finish(completed(len(records)))
        return path

    return write
