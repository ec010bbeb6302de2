"""The public Python interface, against the lab: the same answers as the command line's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trio

import stress
from stress.lab.farm import Farm, start
from stress.model.chain import Refusal
from stress.model.summary import Answer

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "docs" / "examples"


@pytest.fixture(scope="module")
def farm() -> Iterator[Farm]:
    """One node of eight sends the leaf alone, in strict turn."""
    with start("round-robin-1-of-8") as started:
        yield started


@pytest.fixture(scope="module")
def asked(farm: Farm) -> dict[str, Any]:
    address = str(farm.addresses[0])
    return {"address": [address], "ca": farm.ca_file, "processes": 1}


@pytest.fixture(scope="module")
def run(
    farm: Farm, asked: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[stress.RecordedRun]:
    """160 handshakes, 20 of them with an incomplete chain."""
    folder = tmp_path_factory.mktemp("results")
    with stress.run(farm.host, count=160, name="once", results=folder, **asked) as made:
        yield made


@pytest.mark.slow
def test_a_run_has_the_summary_of_the_report(run: stress.RecordedRun) -> None:
    summary = run.summary()

    assert summary.verdict is Answer.FAILING
    assert (summary.attempts, summary.failures.count) == (160, 20)
    assert run.summary(assertions=["failing<50%"]).verdict is Answer.CLEAN
    assert "incomplete chain" in run.report("markdown")


@pytest.mark.slow
def test_rows_batches_and_arrays_hold_the_same(run: stress.RecordedRun) -> None:
    rows = [*run.rows()]
    batches = [*run.batches(50)]
    arrays = run.arrays("outcome", "connect_ns", "tls_version")

    assert len(rows) == 160
    assert tuple(rows[0]) == run.columns
    assert [len(batch["id"]) for batch in batches] == [50, 50, 50, 10]
    for name, column in arrays.items():
        assert [None if one is np.ma.masked else one for one in column] == [r[name] for r in rows]
    assert arrays["connect_ns"].dtype == np.int64
    assert np.sum(arrays["outcome"] == "incomplete-chain") == 20


@pytest.mark.slow
def test_all_rows_are_one_arrow_table(run: stress.RecordedRun) -> None:
    pytest.importorskip("pyarrow")

    table = run.arrow()

    assert (table.num_rows, tuple(table.column_names)) == (160, run.columns)
    assert table.column("outcome").to_pylist() == [row["outcome"] for row in run.rows()]


@pytest.mark.slow
def test_chains_and_evidence_are_as_recorded(run: stress.RecordedRun, farm: Farm) -> None:
    whole, alone = sorted(run.chains(), key=lambda chain: -len(chain.certificates))

    assert [len(chain.certificates) for chain in (whole, alone)] == [2, 1]
    assert [*run.evidence()]
    assert stress.judge(whole.certificates, farm.host, ca=farm.ca_file).accepted
    judged = stress.judge(alone.certificates, farm.host, ca=str(farm.ca_file), policy="go")
    assert judged.verdicts["go"].refusal is Refusal.YES


@pytest.mark.slow
def test_a_recorded_run_is_opened_by_path_and_by_name(run: stress.RecordedRun) -> None:
    for one in (run.path, str(run.path), "once", None):
        with stress.open(one, results=run.path.parent) as opened:
            assert opened.path == run.path
            assert len([*opened.rows()]) == 160


@pytest.mark.slow
def test_a_cancelled_run_ends_early_and_keeps_what_it_recorded(
    farm: Farm, asked: dict[str, Any], tmp_path: Path
) -> None:
    async def main() -> stress.RecordedRun:
        with trio.move_on_after(1.5) as scope:
            made = await stress.run_async(
                farm.host, rate="40/s", duration="60s", results=tmp_path, **asked
            )
        assert scope.cancel_called
        return made

    with trio.run(main) as made:
        summary = made.summary()

    assert summary.attempts < 40 * 50
    assert any("cancelled by the program" in reason for reason in summary.validity.reasons)


@pytest.mark.long
@pytest.mark.slow
def test_a_run_may_come_from_several_places(asked: dict[str, Any], tmp_path: Path) -> None:
    places = ["fra=local", "nyc=local"]
    more = {"processes": 2, "vantage": places, "results": tmp_path}

    with stress.run("www.lab.test", count=16, **asked | more) as run:
        vantages = {line.name: line.attempts for line in run.summary().vantages}

    assert vantages == {"fra": 8, "nyc": 8}


def test_a_blocking_run_is_refused_in_a_trio_task(asked: dict[str, Any], farm: Farm) -> None:
    plan = stress.Plan(farm.host, count=8, **asked)

    async def main() -> None:
        plan.run()

    with pytest.raises(stress.UsageError, match="would block Trio"):
        trio.run(main)


def test_a_plan_is_checked_and_sends_nothing(asked: dict[str, Any], farm: Farm) -> None:
    plan = stress.Plan(farm.host, count=500, client=["go", "chrome"], timeout="5s", **asked)

    assert plan.full.load.count == 500
    assert [client.name for client in plan.full.clients] == ["go", "chrome"]
    assert plan.command.startswith(f"tls-stress run {farm.host}")
    assert "-n 500" in repr(plan)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"count": "many"}, '--count: "many"'),
        ({"cuont": 5}, "no option cuont"),
        ({"html": "report.html"}, "no option html"),
        ({"interrupted": "once"}, "no option"),
        ({"ca": "/nowhere.pem"}, "/nowhere.pem"),
    ],
)
def test_what_is_wrong_is_an_exception(options: dict[str, Any], told: str) -> None:
    with pytest.raises(stress.UsageError) as caught:
        stress.Plan("127.0.0.1:1", **options)
    assert told in caught.value.message


def test_a_missing_run_is_an_exception(tmp_path: Path) -> None:
    with pytest.raises(stress.RunFileError, match="there is no run"):
        stress.open("once", results=tmp_path)


@pytest.mark.slow
def test_rows_of_a_program_are_isolated(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"node": f"n{number % 8}", "region": "eu", "error": "-9807" if number % 8 == 3 else None}
        for number in range(400)
    ]

    with stress.isolate(rows, failed="error != empty", results=tmp_path, name="app") as run:
        summary = run.summary()

    assert summary.failures.count == 50
    assert any("n3" in str(cause.conditions) for cause in summary.causes)
    assert run.path == tmp_path / "app.db"
    assert capfd.readouterr() == ("", "")


def test_a_row_that_is_no_record_is_an_exception(tmp_path: Path) -> None:
    with pytest.raises(stress.UsageError, match="row 1 cannot be written"):
        stress.isolate([{"error": object()}], failed="error != empty", results=tmp_path)


def test_importing_the_package_imports_nothing_else() -> None:
    code = (
        "import sys, stress; print(*(n for n in sys.modules if n.startswith('stress.')));"
        "assert {*stress.__all__} <= {*dir(stress)}; print('trio' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == ["", "False"]


def test_the_stub_has_the_public_names() -> None:
    stub = (ROOT / "stress" / "__init__.pyi").read_text()

    assert {*re.findall(r" as (\w+)", stub)} == {*stress.__all__}
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        stress.nothing  # type: ignore[attr-defined]  # noqa: B018 - reading it is the test


def example(name: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, EXAMPLES / name, *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_examples_of_the_documentation_run(farm: Farm, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(farm.ca_file.read_bytes())
    address = str(farm.addresses[0])

    found = example("find_the_bad_node.py", tmp_path, farm.host, address)
    assert (found.returncode, found.stderr) == (1, "")
    assert found.stdout.startswith("20 of 160 handshakes (12.5%")

    read = example("slowest_handshakes.py", tmp_path, "found")
    assert (read.returncode, read.stderr) == (0, "")
    assert "incomplete-chain: 20 handshakes" in read.stdout
    assert "refused by nobody" in read.stdout

    both = example("two_targets_at_once.py", tmp_path, farm.host, address, address)
    assert (both.returncode, both.stderr) == (0, "")
    assert both.stdout.count(f"{address}: ") == 2
