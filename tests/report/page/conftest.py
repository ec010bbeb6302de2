"""A small recorded run with real certificates: one address of two sends its leaf alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stress.model.chain import Chain, Finding, Verdict
from stress.model.outcome import Category
from stress.model.plan import Address, Client, Plan, Target, Trust
from stress.model.record import Record
from stress.model.run import End, RunEnd
from stress.model.summary import Summary
from stress.report.summary import summarize
from stress.store import RunFile, RunWriter, open_run
from tests.trust.certificates import AT, AUTHORITY, Wanted, issue

STARTED_NS = 1_795_392_000_000_000_000
ATTEMPTS = 400
HOSTILE = "<script>alert(1)</script>\x1b[2J\u202e"


def chains(common_name: str = "good.test") -> tuple[Chain, Chain]:
    """The whole chain, and the leaf alone."""
    root = issue(Wanted("Root", dns=(), purposes=None, ca=True, starts=AUTHORITY.starts))
    between = issue(Wanted("Between", dns=(), purposes=None, ca=True), issuer=root)
    leaf = issue(Wanted(common_name), issuer=between)
    return Chain((leaf.der, between.der)), Chain((leaf.der,))


def record(number: int, whole: Chain, alone: Chain) -> Record:
    """Every fourth at the second address is incomplete; one attempt is reset."""
    bad = number % 8 == 3
    at_ns = STARTED_NS + number * 20_000_000
    good = Record(
        id=number, due_ns=at_ns, started_ns=at_ns, address=number % 2, source=None,
        local_port=40_000 + number, client=number % 4 // 2,
        outcome="incomplete-chain" if bad else "ok", stage=5,
        chain=(alone if bad else whole).sha256, tls_version=0x0304, cipher=0x1301, key_group=29,
        alpn=None, resumed=False, connect_ns=100_000 + number, server_ns=1_500_000 + 900 * number,
        handshake_ns=1_700_000 + 900 * number, total_ns=2_000_000 + 900 * number,
        lag_ns=20_000 + number, bytes_received=3000, segment=0, flags=0, detail=None,
    )  # fmt: skip
    if number != 200:
        return good
    return good._replace(
        outcome="reset", stage=2, chain=None, tls_version=None, cipher=None, key_group=None,
        resumed=None, server_ns=None, handshake_ns=None,
    )  # fmt: skip


@pytest.fixture(scope="session")
def write_page_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Writes a finished run; the case says what is odd."""

    def write(*, attempts: int = ATTEMPTS, common_name: str = "good.test", label: str = "") -> Path:
        whole, alone = chains(common_name)
        path = tmp_path_factory.mktemp("runs") / "run.db"
        addresses = (Address("192.0.2.1", 443), Address("192.0.2.2", 443, label or "blue"))
        plan = Plan(
            target=Target("good.test"),
            addresses=addresses,
            clients=(Client("generic", "as it is"), Client("ios-urlsession", policy="apple")),
            trust=Trust(host="good.test", anchors_from="ca.pem", private=True),
            server_name="good.test",
        )
        writer = RunWriter(path, plan, started_ns=STARTED_NS, versions={"python": "3"}, host="here")
        for index, address in enumerate(addresses):
            writer.add_address(index, address)
        missing = Finding(Category.INCOMPLETE_CHAIN, None, "Between was not sent")
        writer.add_chain(whole, [])
        writer.add_chain(
            alone, [Verdict(alone.sha256, "any", "good.test", AT, (missing,), ("go",))]
        )
        writer.add_records([record(number, whole, alone) for number in range(attempts)])
        writer.finish(RunEnd(End.COMPLETED, STARTED_NS + 8_000_000_000, attempts))
        writer.close()
        return path

    return write


@pytest.fixture(scope="session")
def page_run_file(write_page_run: Callable[..., Path]) -> Path:
    return write_page_run()


@pytest.fixture(scope="session")
def page_run(page_run_file: Path) -> Iterator[RunFile]:
    with open_run(page_run_file) as run:
        yield run


@pytest.fixture(scope="session")
def page_summary(page_run: RunFile) -> Summary:
    return summarize(page_run)


@pytest.fixture(scope="session")
def hostile_run(write_page_run: Callable[..., Any]) -> Iterator[RunFile]:
    """The same run with names that attack programs that print them."""
    with open_run(write_page_run(common_name=HOSTILE, label=HOSTILE)) as run:
        yield run
