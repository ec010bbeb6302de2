"""An attribute of the table goes the whole way: row, column, cell, cause, replay, export."""

from __future__ import annotations

import csv
import io
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from stress.analysis.compare.replay import matcher
from stress.model.record import Record
from stress.model.summary import Condition
from stress.report.summary import summarize
from stress.store import open_run
from stress.store.export import Format, export_run

ROWS = 2_000


@pytest.fixture
def path(write_run: Callable[..., Path], make_record: Callable[..., Record]) -> Path:
    """A tenth of the attempts gets a HelloRetryRequest, and those alone are reset afterwards."""

    def row(number: int) -> Record:
        if number % 10:
            return make_record(number, hello_retry=False)
        unreached = dict.fromkeys(("chain", "tls_version", "cipher", "key_group", "resumed"))
        return make_record(number, hello_retry=True, outcome="reset", stage=2, **unreached)

    return write_run([row(number) for number in range(ROWS)])


def test_it_is_a_column_of_the_view_and_of_exports(path: Path) -> None:
    text = io.BytesIO()
    connection = sqlite3.connect(path)
    sql = "SELECT hello_retry, count(*) FROM handshake GROUP BY 1"
    stored = connection.execute(sql).fetchall()
    connection.close()
    with open_run(path) as run:
        export_run(run, Format.CSV, text)
        restored = [record.hello_retry for record in run.records()]
    rows = csv.DictReader(io.StringIO(text.getvalue().decode()))

    assert stored == [(0, 1_800), (1, 200)]
    assert [row["hello_retry"] for row in rows] == [str(int(bool(value))) for value in restored]
    assert restored.count(True) == 200


def test_what_few_attempts_have_costs_the_others_nothing(
    write_run: Callable[..., Path], make_record: Callable[..., Record]
) -> None:
    odd = {3: 1, 7: 2}
    path = write_run([make_record(n, tcp_retransmits=odd.get(n)) for n in range(10)])
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT count(*) FROM tcp_retransmits").fetchone()
    sql = "SELECT id, tcp_retransmits FROM handshake WHERE tcp_retransmits"
    shown = connection.execute(sql).fetchall()
    connection.close()
    with open_run(path) as run:
        restored = {record.id: record.tcp_retransmits for record in run.records()}

    assert rows == (2,)
    assert dict(shown) == odd
    assert restored == {n: odd.get(n) for n in range(10)}


def test_it_explains_failures_and_selects_them_for_a_replay(path: Path) -> None:
    with open_run(path) as run:
        (cause,) = summarize(run).causes
        meets = matcher(run, [Condition("hello_retry", "yes")])

        assert Condition("hello_retry", "yes") in cause.conditions
        assert "after a HelloRetryRequest" in cause.sentence
        assert {record.outcome for record in run.records() if meets(record)} == {"reset"}
