"""A stranger's run file may name any URL of an issuer; only public ones are fetched from."""

from __future__ import annotations

import http.server
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from stress.model.chain import Chain
from stress.model.plan import Address, Client, Plan, Target, Trust
from stress.model.record import Record
from stress.model.run import End, RunEnd
from stress.runner.judge import Rejudgement
from stress.store import RunWriter, open_run
from stress.trust import Anchors, Judge
from tests.strangers.doors import visit, wrongs
from tests.trust.certificates import AT, HOST, authorities, leaf

AT_NS = AT * 1_000_000_000


@pytest.fixture
def issuer() -> Iterator[tuple[str, list[str]]]:
    """URL of the issuer on a server of this machine, and the paths that were requested there."""
    requested: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(authorities().intermediate.der)

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/i.cer", requested
        server.shutdown()


def run_file(path: Path, url: str, addresses: tuple[str, ...]) -> Path:
    """A run against a server that left out its intermediate."""
    chain = Chain((leaf(issuer_url=url).der,))
    trust = Trust("any", HOST, (authorities().root.der,), "test", private=True, at=AT)
    known = tuple(Address(ip, 443) for ip in addresses or ("127.0.0.1",))
    plan = Plan(Target(HOST), known, (Client("generic"),), trust=trust, server_name=HOST)
    judge = Judge(Anchors(trust.anchors, trust.anchors_from, trust.private))
    verdict = judge.judge(chain.certificates, host=HOST, at=AT, policy="any")
    writer = RunWriter(path, plan, started_ns=AT_NS, versions={}, host="a stranger's")
    for index, address in enumerate(plan.addresses):
        writer.add_address(index, address)
    writer.add_chain(chain, [verdict])
    nothing = dict.fromkeys(Record._fields, 0) | {"source": None, "alpn": None, "detail": None}
    known_row = {"due_ns": AT_NS, "started_ns": AT_NS, "stage": 5, "chain": chain.sha256}
    row = Record(**(nothing | known_row | {"outcome": "incomplete-chain", "resumed": False}))  # type: ignore[arg-type]  # fields by name
    writer.add_records([row])
    writer.finish(RunEnd(End.COMPLETED, AT_NS + 10**9, 1))
    if not addresses:
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("DELETE FROM address")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("10.0.0.1", "::1"), ()])
def test_addresses_in_a_file_open_no_private_network(
    tmp_path: Path, issuer: tuple[str, list[str]], addresses: tuple[str, ...]
) -> None:
    """Neither private ones nor none at all."""
    url, requested = issuer
    file = run_file(tmp_path / "run.db", url, addresses)

    visits = visit([["report", file, "--aia"]], tmp_path)

    assert requested == []
    assert [event for event, _ in visits.visits[0].events if event == "socket.connect"] == []
    if addresses:
        assert "is not a public address" in " ".join(visits.visits[0].out.split())


@pytest.mark.slow
def test_no_form_of_a_private_address_is_contacted(tmp_path: Path) -> None:
    urls = [
        *("http://127.0.0.1:8000/", "http://[::1]:8000/", "http://2130706433:8000/"),
        *("http://0x7f.1:8000/", "http://0177.0.0.1:8000/", "http://localhost:8000/"),
        *("http://0:8000/", "http://169.254.169.254/latest/meta-data/", "http://[fec0::1]/"),
        *("http://[::ffff:10.0.0.1]/", "http://[2002:a00:1::]/", "http://[64:ff9b::a00:1]/"),
        *("http://[64:ff9b:1::a00:1]/", "http://[::ffff:0:a00:1]/", "http://[fe80::1%25lo]/"),
        *("http://8.8.8.8:25/", "http://8.8.8.8:53/", "http://8.8.8.8:0/"),
        *("https://127.0.0.1/", "file:///etc/passwd", "gopher://127.0.0.1/", "http://user@[::1]/"),
    ]
    files = [
        run_file(tmp_path / f"run-{number}.db", url, ("127.0.0.1",))
        for number, url in enumerate(urls)
    ]

    visits = visit([["report", file, "--aia"] for file in files], tmp_path)

    assert [one.code for one in visits.visits] == [1] * len(urls)
    assert all("Not proven" in one.out for one in visits.visits)
    assert [wrong for wrong in wrongs(visits) if "getaddrinfo" not in wrong] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("addresses", "proven"),
    [(("127.0.0.1",), True), (("127.0.0.1", "8.8.8.8"), False), ((), False)],
)
def test_a_private_target_of_this_command_line_may_have_a_private_issuer(
    tmp_path: Path, issuer: tuple[str, list[str]], addresses: tuple[str, ...], proven: bool
) -> None:
    url, requested = issuer
    file = run_file(tmp_path / "run.db", url, addresses)

    with open_run(file, made_now=True) as run:
        sentences = Rejudgement(aia=True).repairs(run)

    assert any(sentence.startswith("Proven") for sentence in sentences) is proven
    assert requested == (["/i.cer"] if proven else [])
