"""Exports say what the run file says, and harm nobody who opens them."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

from stress.errors import UsageError
from stress.model.record import Record
from stress.store import RunFile, open_run
from stress.store.export import Format, export_run


@pytest.fixture
def run(
    write_run: Callable[..., Path],
    make_record: Callable[..., Record],
    incomplete: Callable[[int], Record],
) -> Iterator[RunFile]:
    records = [
        make_record(0, detail='=HYPERLINK("http://x")', alpn="h2,\nx"),
        incomplete(1),
        make_record(2500, lag_ns=None),
    ]
    with open_run(write_run(records)) as run:
        yield run


def exported(run: RunFile, form: Format) -> str:
    stream = io.BytesIO()
    export_run(run, form, stream)
    assert not stream.closed
    return stream.getvalue().decode()


def test_csv_has_the_columns_of_the_view_and_no_formula(run: RunFile) -> None:
    rows = list(csv.DictReader(io.StringIO(exported(run, Format.CSV), newline="")))

    assert list(rows[0]) == list(run.handshakes()[0])
    assert [row["id"] for row in rows] == ["0", "1", "2500"]
    assert rows[0]["detail"] == '\'=HYPERLINK("http://x")'
    assert rows[0]["alpn"] == "h2,\nx"
    assert (rows[1]["outcome"], rows[2]["lag_ns"]) == ("incomplete-chain", "")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_text_starts_like_a_formula(
    write_run: Callable[..., Path], make_record: Callable[..., Record], start: str
) -> None:
    with open_run(write_run([make_record(0, alpn=f"{start}1")])) as run:
        (row,) = csv.DictReader(io.StringIO(exported(run, Format.CSV), newline=""))

    assert row["alpn"] == f"'{start}1"


def by_rows(run: RunFile) -> str:
    """The whole CSV file as the rows of the view give it, one after the other."""
    names, rows = run.handshakes()
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(names)
    for row in rows:
        writer.writerow(
            f"'{one}" if isinstance(one, str) and one.startswith(tuple("=+-@")) else one
            for one in row
        )
    return stream.getvalue()


def test_csv_by_groups_is_what_the_rows_of_the_view_give(
    write_run: Callable[..., Path],
    make_record: Callable[..., Record],
    incomplete: Callable[[int], Record],
) -> None:
    odd = (
        {"alpn": 'h2, "quoted", 100%s'},
        {"alpn": "%d%%\r\n"},
        {"alpn": "", "backend": "-1"},
        {"detail": 'said "no", twice'},
        {"detail": "=1%s"},
        {"server_ns": None, "handshake_ns": None, "connect_ns": None, "lag_ns": None},
        {"local_port": None, "tls_version": None, "cipher": None, "chain": None},
        {"tcp_retransmits": 3},
        {"starttls_ns": 17, "resumed": True},
    )
    records = [make_record(number, **odd[number % len(odd)]) for number in range(2_100)]
    with open_run(write_run([*records, incomplete(2_100)])) as run:
        assert exported(run, Format.CSV) == by_rows(run)


HOSTILE = "\x1b]0;owned\x07 \x9b2J \u202egnp.exe \x7f"


@pytest.mark.parametrize("form", [Format.CSV, Format.JSONL])
def test_no_text_of_others_acts_upon_a_terminal(
    write_run: Callable[..., Path], make_record: Callable[..., Record], form: Format
) -> None:
    with open_run(write_run([make_record(0, detail=HOSTILE)])) as run:
        text = exported(run, form)

    assert all(character.isprintable() or character in "\r\n" for character in text)
    if form is Format.JSONL:
        assert json.loads(text)["detail"] == HOSTILE
    else:
        assert r"\x1b]0;owned\x07 \x9b2J \u202egnp.exe \x7f" in text


def test_an_export_is_for_its_owner_alone_and_follows_no_link(run: RunFile, tmp_path: Path) -> None:
    export_run(run, Format.CSV, tmp_path / "out.csv")
    (tmp_path / "link.csv").symlink_to(tmp_path / "victim")

    assert (tmp_path / "out.csv").stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match="exists already"):
        export_run(run, Format.CSV, tmp_path / "link.csv")
    assert not (tmp_path / "victim").exists()


def test_json_lines_are_the_same_rows_with_types(run: RunFile) -> None:
    names, rows = run.handshakes()
    lines = [json.loads(line) for line in exported(run, Format.JSONL).splitlines()]

    assert lines == [dict(zip(names, row, strict=True)) for row in rows]
    assert lines[0]["detail"] == '=HYPERLINK("http://x")'


def test_the_histogram_log_has_a_tag_for_each_phase_and_ending(
    run: RunFile, tmp_path: Path
) -> None:
    path = tmp_path / "run.hlog"
    export_run(run, Format.HLOG, path)
    reader = HistogramLogReader(str(path), HdrHistogram(1, 120_000_000, 3))
    found = []
    while histogram := reader.get_next_interval_histogram():
        start_s = histogram.get_start_time_stamp() / 1000 - 1_700_000_000
        found.append((histogram.get_tag(), round(start_s), histogram.get_total_count()))
    reader.close()

    assert ("server-ok", 0, 1) in found
    assert ("server-failed", 0, 1) in found
    assert ("server-ok", 2, 1) in found
    assert not [tag for tag, start_s, _ in found if (tag, start_s) == ("lag-ok", 2)]
    assert len(found) == 17


WITHOUT_PYARROW = """
import sys
from stress.cli.main import main
sys.modules["pyarrow"] = None  # as where it is not installed
sys.exit(main(["export", sys.argv[1], "--format", "parquet", "--out", sys.argv[2]]))
"""


@pytest.mark.slow
def test_parquet_without_its_library_says_what_to_install(run: RunFile, tmp_path: Path) -> None:
    out = tmp_path / "run.parquet"
    command = [sys.executable, "-c", WITHOUT_PYARROW, run.facts().file, str(out)]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert "needs the library pyarrow" in done.stderr
    assert "pip install 'tls-stress[parquet]'" in done.stderr
    assert not out.exists()


@pytest.mark.slow
def test_parquet_holds_the_same_rows(run: RunFile, tmp_path: Path) -> None:
    export_run(run, Format.PARQUET, tmp_path / "run.parquet")
    names, rows = run.handshakes()

    # Imported by name: the library ships no types.
    read_table = import_module("pyarrow.parquet").read_table
    assert read_table(tmp_path / "run.parquet").to_pylist() == [
        dict(zip(names, row, strict=True)) for row in rows
    ]


@pytest.mark.parametrize("form", [Format.CSV, Format.JSONL, Format.HLOG])
def test_an_empty_run_can_be_exported(write_run: Callable[..., Path], form: Format) -> None:
    with open_run(write_run([], name="empty")) as run:
        exported(run, form)


def test_a_file_that_exists_is_not_overwritten(run: RunFile, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("mine")

    with pytest.raises(UsageError, match="exists already"):
        export_run(run, Format.CSV, path)
    assert path.read_text() == "mine"


def test_a_place_that_cannot_be_written_is_told(run: RunFile, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write"):
        export_run(run, Format.CSV, tmp_path / "missing" / "out.csv")


def test_a_failure_in_the_middle_leaves_no_half_file(run: RunFile, tmp_path: Path) -> None:
    run.close()
    with pytest.raises(UsageError, match="damaged"):
        export_run(run, Format.CSV, tmp_path / "out.csv")

    assert not (tmp_path / "out.csv").exists()
