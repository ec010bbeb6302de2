"""The seam: a transport that knows nothing of runs carries one."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from pathlib import Path
from time import time_ns

import pytest

from stress.model.plan import Plan
from stress.model.record import Record
from stress.model.run import End
from stress.store import open_run
from stress.vantage import messages
from stress.vantage.cluster import DaskGateway, SocketLink, open_dask
from stress.vantage.gateways import ExecnetGateway, open_execnet
from stress.vantage.link import Fleet, Gateway, VantageLink
from tests.vantage.conftest import FarSide


def test_what_we_ship_and_what_the_tests_use_fit_the_protocols() -> None:
    fleets: list[Fleet] = [open_execnet, open_dask]
    gateways: list[type[Gateway]] = [ExecnetGateway, DaskGateway]
    links: list[type[VantageLink]] = [SocketLink, DaskGateway]

    assert all((fleets, gateways, links))


@pytest.mark.long
@pytest.mark.slow
def test_a_link_over_sockets_carries_a_part_and_its_file(
    plan_40: Plan, far_side: Callable[[], FarSide], tmp_path: Path
) -> None:
    far = far_side()
    ready = far.prepare(plan_40)
    at_ns = time_ns()
    far.say(messages.Go(at_ns))
    started = far.hear(messages.Started)
    records: list[Record] = []
    while len(records) < 40:
        news = far.hear(messages.News)
        records += news.records
    ended, unpacker, data = far.hear(messages.Ended), zlib.decompressobj(), b""
    while packed := far.hear(messages.FilePiece).data:
        data += unpacker.decompress(packed)
    before = Path(ready.file).exists()
    far.say(messages.Keep())
    code = far.process.wait()
    (tmp_path / "home.db").write_bytes(data)
    with open_run(tmp_path / "home.db") as run:
        facts, rows = run.facts(), list(run.records())

    assert (ended.size, ended.sha256) == (len(data), hashlib.sha256(data).digest())
    assert (code, before, Path(ready.file).exists()) == (0, True, False)
    assert started.late_ns >= 0
    assert {one.id for one in records} == {one.id for one in rows} == set(range(40))
    assert facts.end is End.COMPLETED
    assert facts.started_ns < at_ns <= (facts.first_ns or 0)
    (vantage,) = facts.vantages
    assert (vantage.name, vantage.offset_ns, vantage.error_ns) == ("fra", 5, 7)
    assert vantage.started_ns == facts.started_ns
