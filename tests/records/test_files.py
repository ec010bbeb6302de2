"""Files of records, good and broken, a batch at a time."""

from __future__ import annotations

import gzip
import json
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stress.errors import UsageError
from stress.records.files import LONGEST_LINE, Broken, batches

Rows = list[tuple[str | None, ...]]


def rows(path: Path) -> tuple[list[str], Rows, Broken]:
    """The columns, the rows, and what was broken."""
    broken, names, found = Broken(path.name), list[str](), Rows()
    for batch in batches(path, broken):
        names = list(dict.fromkeys([*names, *batch.columns]))
        columns = [batch.columns.get(name, (None,) * batch.rows) for name in names]
        found += zip(*columns, strict=True)
    return names, found, broken


def written(folder: Path, data: bytes | str, name: str = "r.csv") -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_csv_in_its_dialects(delimiter: str, end: str, encoding: str, tmp_path: Path) -> None:
    text = f'a;b{end}1;"x;y"{end}ü;{end}{end}'.replace(";", delimiter)
    path = written(tmp_path, text.encode(encoding))

    names, found, broken = rows(path)

    assert names == ["a", "b"]
    assert found == [("1", f"x{delimiter}y"), ("ü", "")]
    assert broken.count == 0


def test_a_value_may_span_lines(tmp_path: Path) -> None:
    assert rows(written(tmp_path, 'a,b\n"1\n2",x\n3,y\n'))[1] == [("1\n2", "x"), ("3", "y")]


def test_columns_without_a_name_and_twice_the_same_get_one(tmp_path: Path) -> None:
    names = rows(written(tmp_path, "a,,a,b,a\n1,2,3,4,5\n"))[0]

    assert names == ["a", "column 2", "a (column 3)", "b", "a (column 5)"]


def test_bytes_that_are_no_text_are_kept_as_escapes(tmp_path: Path) -> None:
    assert rows(written(tmp_path, b"a,b\n\xff,x\n"))[1] == [(r"\xff", "x")]


def test_ragged_rows_are_counted_with_their_lines(tmp_path: Path) -> None:
    good = "".join(f"{n},x\n" for n in range(300))
    path = written(tmp_path, f'a,b\n"1\n2",x\n1,2,3\n{good}only\n')

    _, found, broken = rows(path)

    assert len(found) == 301
    assert broken.count == 2
    assert broken.lines[0] == "line 4 has 3 fields, the header has 2"
    assert broken.lines[1].startswith("line 305 has 1 field")
    broken.check(len(found))


def test_with_more_than_one_in_a_hundred_broken_the_file_is_refused() -> None:
    broken = Broken("r.csv", 2, ["line 7 is no JSON object"])
    broken.check(198)

    with pytest.raises(UsageError, match=r"2 rows of r.csv \(1.0%\).*line 7 is no JSON object; …"):
        broken.check(197)


def test_json_lines_with_nested_objects_and_columns_that_come_later(tmp_path: Path) -> None:
    lines = [
        {"a": "x", "n": {"b": 1, "c": {"d": True}}},
        {"a": None, "e": [1, "y"], "n": {"b": 1.5}},
        {"a": "x"},
    ]
    path = written(tmp_path, "\n".join(map(json.dumps, lines)) + "\n\nnonsense\n[1]\n", "r.jsonl")

    names, found, broken = rows(path)

    assert names == ["a", "n.b", "n.c.d", "e"]
    assert found == [
        ("x", "1", "true", None),
        (None, "1.5", None, '[1,"y"]'),
        ("x", None, None, None),
    ]
    assert broken.lines == ["line 5 is no JSON object", "line 6 is no JSON object"]


def test_a_batch_is_short_where_rows_are_long(tmp_path: Path) -> None:
    row = "x" * (LONGEST_LINE - 10)
    path = written(tmp_path, "a,b\n" + f"{row},1\n" * 40)

    sizes = [batch.rows for batch in batches(path, Broken("r.csv"))]

    assert sum(sizes) == 40
    assert max(sizes) < 20


def test_keys_without_end_become_columns_up_to_a_bound(tmp_path: Path) -> None:
    lines = [json.dumps({f"k{row}_{key}": 1 for key in range(100)}) for row in range(30)]

    names, found, _ = rows(written(tmp_path, "\n".join(lines), "r.jsonl"))

    assert (len(names), len(found)) == (1_000, 30)


def test_parquet_of_many_types(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    columns = {
        "text": ["x", None],
        "number": [1, 2],
        "flag": [True, False],
        "bytes": [b"\xff", b"a"],
        "list": [[1], None],
    }
    table = import_module("pyarrow").table(columns)
    import_module("pyarrow.parquet").write_table(table, path)

    names, found, _ = rows(path)

    assert names == list(columns)
    assert found == [("x", "1", "true", r"b'\xff'", "[1]"), (None, "2", "false", "b'a'", None)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"  \n \n", "is empty"),
        (b"\x7fELF\0\0\0", "is a binary file"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), r"is compressed \(gzip\)"),
        (b'[{"a": 1}]', "is one JSON array"),
        (b"SQLite format 3\0", "is a run file, or another database"),
        (b"PAR1 and nothing else", "the Parquet file .* is damaged"),
    ],
)
def test_files_of_another_kind_are_refused(data: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        rows(written(tmp_path, data))


def test_a_directory_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a directory"):
        rows(tmp_path)
    with pytest.raises(UsageError, match="No such file"):
        rows(tmp_path / "missing.csv")


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_line_without_an_end_is_broken_and_the_next_is_read(quote: str, tmp_path: Path) -> None:
    long = quote + "x" * (3 * LONGEST_LINE)
    path = written(tmp_path, f"a,b\n1,2\n{long}\n3,4\n")

    _, found, broken = rows(path)

    assert broken.lines == [f"line 3 is longer than {LONGEST_LINE:,} characters"]
    assert found == [("1", "2"), ("3", "4")]


@settings(max_examples=50)
@given(st.binary(max_size=300))
def test_any_bytes_are_rows_or_a_usage_error(data: bytes) -> None:
    from tempfile import NamedTemporaryFile  # noqa: PLC0415 - a folder for each example is slow

    with NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        try:
            rows(Path(file.name))
        except UsageError as error:
            assert error.message  # noqa: PT017 - either is right
