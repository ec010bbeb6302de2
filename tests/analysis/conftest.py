"""A recorded run in memory, and a small PKI whose chains it can have met."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import islice, product
from types import ModuleType

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from benchmarks.worlds import GOOD
from stress.measure import Histogram
from stress.model.chain import Finding, Verdict, chain_hash
from stress.model.outcome import Category, Stage
from stress.model.plan import Address, Client, Load, Plan, Target, Trust
from stress.model.record import Record
from stress.model.run import (
    Cell,
    Cube,
    End,
    HistogramRow,
    Phase,
    PortCount,
    Run,
    RunFacts,
    SeenChain,
)

BEGUN = 1_790_000_000_000_000_000
SECOND = 1_000_000_000
PLAN = Plan(
    Target("lab.test", 443),
    (Address("127.0.0.1", 443),),
    (Client("generic"),),
    load=Load(count=1000, concurrency=64, rate=50.0),
    trust=Trust(host="lab.test", anchors_from="ca.pem", private=True, anchors=(b"",)),
    server_name="lab.test",
)
FACTS = RunFacts(
    name="lab",
    file="results/lab.db",
    plan=PLAN,
    started_ns=BEGUN,
    ended_ns=BEGUN + 20 * SECOND,
    end=End.COMPLETED,
    started=0,
    recorded=0,
    versions={"tls-stress": "0.1.0"},
    reasons=(),
    invalid=False,
    lag_p99_ns=200_000,
    host="host.test (127.0.0.1)",
)


@dataclass
class MemoryRun:
    """Answers like a run file does."""

    the_facts: RunFacts
    the_cube: Cube
    the_chains: tuple[SeenChain, ...] = ()
    the_addresses: tuple[Address, ...] = (Address("127.0.0.1", 443),)
    the_verdicts: tuple[Verdict, ...] = ()
    the_ports: tuple[PortCount, ...] = ()
    the_histograms: tuple[HistogramRow, ...] = ()
    the_records: list[Record] = field(default_factory=list)

    def facts(self) -> RunFacts:
        return self.the_facts

    def addresses(self) -> Sequence[Address]:
        return self.the_addresses

    def chains(self) -> Sequence[SeenChain]:
        return self.the_chains

    def verdicts(self) -> Sequence[Verdict]:
        return self.the_verdicts

    def cube(self) -> Cube:
        return self.the_cube

    def ports(self) -> Sequence[PortCount]:
        return self.the_ports

    def histograms(self) -> Sequence[HistogramRow]:
        return self.the_histograms

    def failures(self, limit: int) -> Iterator[Record]:
        return islice((one for one in self.the_records if one.outcome != "ok"), limit)

    def good(self, most: int) -> Iterator[Record]:
        return (one for one in self.the_records[:most] if one.outcome == "ok")


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    subject: str, issuer: str, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey
) -> bytes:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=365))
        .sign(signer, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )


@dataclass(frozen=True)
class Pki:
    """DER of a leaf, its intermediate, and a leaf of the same name from another issuer."""

    leaf: bytes
    intermediate: bytes
    other: bytes


@pytest.fixture(scope="session")
def pki() -> Pki:
    key = ec.generate_private_key(ec.SECP256R1())
    return Pki(
        leaf=_certificate("lab.test", "Lab Intermediate A", key, key),
        intermediate=_certificate("Lab Intermediate A", "Lab Root", key, key),
        other=_certificate("lab.test", "Lab Intermediate B", key, key),
    )


@pytest.fixture(scope="session")
def seen(pki: Pki) -> Callable[..., SeenChain]:
    def make(number: int, certificates: Sequence[bytes], count: int) -> SeenChain:
        sent = tuple(certificates)
        return SeenChain(number, chain_hash(sent), sent, count, BEGUN, BEGUN + 20 * SECOND)

    return make


@pytest.fixture(scope="session")
def leaf_and_more(pki: Pki, seen: Callable[..., SeenChain]) -> tuple[SeenChain, SeenChain]:
    """The leaf alone (met 10 times) and the whole chain (met 90 times)."""
    return seen(2, [pki.leaf], 10), seen(1, [pki.leaf, pki.intermediate], 90)


@pytest.fixture(scope="session")
def finding() -> Callable[[SeenChain, Category], Verdict]:
    def make(chain: SeenChain, category: Category) -> Verdict:
        found = (Finding(category, None, "as planted"),)
        return Verdict(chain.sha256, "any", "lab.test", BEGUN // SECOND, found)

    return make


@pytest.fixture(scope="session")
def cell() -> Callable[..., Cell]:
    def make(count: int, **changes: object) -> Cell:
        return GOOD._replace(count=count, **changes)  # type: ignore[arg-type] # a test's shorthand

    return make


@pytest.fixture(scope="session")
def record() -> Callable[..., Record]:
    """A failing attempt as a row."""

    def make(number: int, **changes: object) -> Record:
        row = Record(
            id=number,
            due_ns=BEGUN,
            started_ns=BEGUN,
            address=0,
            source=None,
            local_port=40_000 + number,
            client=0,
            outcome="reset",
            stage=Stage.CLIENT_HELLO,
            chain=None,
            tls_version=None,
            cipher=None,
            key_group=None,
            alpn=None,
            resumed=None,
            connect_ns=1000,
            server_ns=None,
            handshake_ns=None,
            total_ns=2000,
            lag_ns=None,
            bytes_received=0,
            segment=0,
            flags=0,
            detail=None,
        )
        return row._replace(**changes)  # type: ignore[arg-type] # a test's shorthand

    return make


@pytest.fixture(scope="session")
def histogram_row() -> Callable[..., HistogramRow]:
    def make(
        phase: Phase, values_ns: Sequence[int], *, good: bool = True, block: int = -1
    ) -> HistogramRow:
        histogram = Histogram()
        for value in values_ns:
            histogram.record(value)
        return HistogramRow(phase, good, block, histogram.encode(), 0)

    return make


@pytest.fixture(scope="session")
def recorded() -> Callable[..., Run]:
    def make(
        cells: Sequence[Cell],
        *,
        chains: Sequence[SeenChain] = (),
        addresses: Sequence[Address] = (Address("127.0.0.1", 443),),
        verdicts: Sequence[Verdict] = (),
        ports: Sequence[PortCount] = (),
        histograms: Sequence[HistogramRow] = (),
        records: Sequence[Record] = (),
        plan: Plan | None = None,
        **changes: object,
    ) -> Run:
        total = sum(cell.count for cell in cells)
        facts = replace(FACTS, started=total, recorded=total, plan=plan or PLAN)
        return MemoryRun(
            replace(facts, **changes),  # type: ignore[arg-type] # a test's shorthand
            Cube(SECOND, tuple(cells)),
            tuple(chains),
            tuple(addresses),
            tuple(verdicts),
            tuple(ports),
            tuple(histograms),
            list(records),
        )

    return make


@pytest.fixture(scope="session")
def plan() -> Plan:
    return PLAN


@pytest.fixture(scope="session")
def facts() -> RunFacts:
    return FACTS


@pytest.fixture(scope="session")
def simulate() -> ModuleType:
    """The long simulations' worlds, so that the tests and the benchmark plant the same."""
    return import_module("benchmarks.simulate")


FARM = (
    Address("10.0.3.6", 443, "node-a"),
    Address("10.0.3.7", 443, "node-b"),
    Address("10.0.3.8", 443, "node-c"),
    Address("2001:db8::9", 443, "node-d"),
)


@pytest.fixture(scope="session")
def located(cell: Callable[..., Cell], recorded: Callable[..., Run]) -> Callable[..., Run]:
    """Four addresses, two clients, two TLS versions, 40 blocks; resets where the caller wants."""

    def make(
        failing: Callable[[Cell], int],
        *,
        outcome: str = "reset",
        each: int = 25,
        blocks: int = 40,
        **changes: object,
    ) -> Run:
        cells = []
        for block, address, client, version in product(
            range(blocks), range(4), range(2), (0x0303, 0x0304)
        ):
            like = cell(each, block=block, address=address, client=client, tls_version=version)
            failed = min(each, failing(like))
            cells.append(like._replace(count=each - failed))
            cells.append(like._replace(count=failed, outcome=outcome))
        plan = replace(PLAN, addresses=FARM, clients=(Client("generic"), Client("chrome")))
        changes.setdefault("plan", plan)
        return recorded(
            [one for one in cells if one.count],
            addresses=FARM,
            ended_ns=BEGUN + blocks * SECOND,
            **changes,
        )

    return make


@pytest.fixture
def leaf_alone(
    pki: Pki,
    seen: Callable[..., SeenChain],
    finding: Callable[[SeenChain, Category], Verdict],
    cell: Callable[..., Cell],
    recorded: Callable[..., Run],
) -> Run:
    """The demo's shape: 98 of 20,000 handshakes met the leaf without its intermediate."""
    whole = seen(1, [pki.leaf, pki.intermediate], 19_902)
    alone = seen(2, [pki.leaf], 98)
    good = [cell(995 if block < 18 else 996, block=block) for block in range(20)]
    bad = [
        cell(5 if block < 18 else 4, block=block, chain=2, outcome="incomplete-chain")
        for block in range(20)
    ]
    return recorded(
        [*good, *bad],
        chains=[whole, alone],
        verdicts=[finding(alone, Category.INCOMPLETE_CHAIN)],
    )
