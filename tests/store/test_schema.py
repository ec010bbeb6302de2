"""The schema text is complete, and what is stored in it as text or blob comes back as it was."""

from __future__ import annotations

import json
import re
import sqlite3
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.errors import RunFileError
from stress.model.plan import (
    Address,
    Arrivals,
    Client,
    Close,
    Limits,
    Load,
    Plan,
    Stack,
    Target,
    Trust,
)
from stress.model.record import Record
from stress.model.transcript import Clock, Flight, Parting, Transcript
from stress.store import RunWriter, open_run
from stress.store.schema import (
    MOST_BYTES,
    SCHEMA,
    anchors_fingerprint,
    decode_transcript,
    encode_transcript,
    insert_into,
    plan_text,
    private_anchors,
    read_plan,
    schema_text,
    view_text,
)

CONTRACT_COLUMNS = {
    *("id", "due_ns", "started_ns", "address", "local_port", "client", "outcome", "stage"),
    *("chain", "tls_version", "cipher", "key_group", "alpn", "resumed"),
    *("connect_ns", "server_ns", "handshake_ns", "lag_ns", "bytes_received"),
}
VIEWS = ["handshake", "failures", "chains_seen", "by_address"]


def tables() -> dict[str, str]:
    """The text of each table by name."""
    return dict(re.findall(r"CREATE TABLE (\w+) (\(.*?\n\)[^;]*;)", schema_text(), re.DOTALL))


def test_the_history_ends_with_the_number() -> None:
    history = re.findall(r"^--   (\d+)  \S", schema_text(), re.MULTILINE)

    assert history == [str(number) for number in range(1, SCHEMA + 1)]


def test_every_table_and_view_has_a_sentence() -> None:
    opening = r"CREATE (?:TABLE|VIEW) \w+ (?:\(|AS) -- [A-Z].*\.$"
    opened = re.findall(opening, schema_text(), re.MULTILINE)

    assert len(opened) == len(re.findall(r"CREATE (?:TABLE|VIEW)", schema_text()))


@pytest.mark.parametrize("name", sorted(tables()))
def test_every_column_is_explained(name: str) -> None:
    lines = [line.strip() for line in tables()[name].splitlines()[1:-1]]
    columns = [line for line in lines if re.match(r"[a-z]", line)]

    assert columns
    assert [line for line in columns if " -- " not in line] == []


@pytest.mark.parametrize("name", VIEWS)
def test_views_can_be_read(name: str) -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(schema_text())
    stored = connection.execute(f"SELECT * FROM {name}").fetchall()
    ours = connection.execute(view_text(name)).fetchall()
    connection.close()

    assert stored == ours == []


def test_handshake_has_the_columns_that_users_rely_on() -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(schema_text())
    cursor = connection.execute("SELECT * FROM handshake")
    columns = {column[0] for column in cursor.description}
    connection.close()

    assert columns >= CONTRACT_COLUMNS


def test_an_insert_has_a_mark_for_each_column() -> None:
    assert insert_into("port", 3) == "INSERT INTO port VALUES (?, ?, ?)"


FULL = Plan(
    target=Target("x.example", 8443),
    addresses=(Address("2001:db8::1", 8443, "blue \u202e<b>"),),
    clients=(Client("ios", versions=(0x0303,), alpn=("h2", "http/1.1"), weight=0.25),),
    load=Load(count=None, duration_s=12.5, rate=500.0, arrivals=Arrivals.POISSON, processes=2),
    limits=Limits(attempt_s=3.5),
    trust=Trust("apple", "x.example", (b"\x30\x00",), "ca.pem", True, 5, (b"\x01" * 32,)),
    server_name=None,
    stack=Stack.OPENSSL,
    close=Close.RST,
    sources=("127.0.0.1",),
    resolve_again_s=60.0,
    seed=2**60,
    notes=("a note",),
)


@pytest.mark.parametrize("plan", [FULL, Plan(Target("x.example"), (), ())])
def test_a_plan_is_read_as_it_was_written(plan: Plan) -> None:
    assert read_plan(plan_text(plan), plan.trust.anchors) == plan


def test_anchors_are_not_in_the_text() -> None:
    public = replace(FULL, trust=replace(FULL.trust, private=False))

    assert plan_text(public) == plan_text(replace(public, trust=replace(public.trust, anchors=())))
    assert private_anchors(public) == ()
    assert private_anchors(FULL) == (b"\x30\x00",)


def test_the_fingerprint_does_not_depend_on_the_order() -> None:
    def with_anchors(*anchors: bytes) -> str:
        return anchors_fingerprint(replace(FULL, trust=Trust(anchors=anchors)))

    assert with_anchors(b"a", b"b") == with_anchors(b"b", b"a")
    assert with_anchors(b"a", b"b") != with_anchors(b"a", b"c")


@pytest.mark.parametrize("text", ["", "{}", '{"target": {"host": "", "port": 443}}', "[1]"])
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^plan"):
        read_plan(text, ())


def test_the_place_in_a_bad_plan_is_named() -> None:
    said = json.loads(plan_text(FULL))
    said["addresses"][0]["port"] = "x"

    with pytest.raises(ValueError, match=r"^plan\.addresses\[0?\.*\]\.port: Expected int, got str"):
        read_plan(json.dumps(said), ())


RECORD = Record(
    7, 1, 2, 0, None, 40_001, 0, "eof", 5, None, 0x0304, 0x1301, 29, "h2", False,
    10, 20, 30, 40, 5, 4096, 0, 1, "detail",
)  # fmt: skip
times = st.integers(0, (1 << 63) - 1)
flights = st.builds(Flight, st.booleans(), times, st.sampled_from(Clock), st.binary(max_size=99))
transcripts = st.builds(
    Transcript,
    st.just(RECORD),
    st.just(Address("2001:db8::1", 443, "blue")),
    st.just("2001:db8::9"),
    times,
    st.lists(flights, max_size=5).map(tuple),
    st.lists(st.builds(Parting, st.booleans(), times, st.booleans()), max_size=3).map(tuple),
    st.lists(st.text(max_size=9), max_size=3).map(tuple),
    st.booleans(),
)
ONE = Transcript(RECORD, Address("192.0.2.1", 443), "192.0.2.9", 5, ())


@given(transcripts)
def test_a_transcript_comes_back_as_it_was(transcript: Transcript) -> None:
    assert decode_transcript(encode_transcript(transcript)) == transcript


@given(st.binary(max_size=200))
def test_what_is_no_transcript_is_a_value_error(blob: bytes) -> None:
    with pytest.raises(ValueError, match="transcript"):
        decode_transcript(blob)


def test_a_bomb_is_not_unpacked() -> None:
    with pytest.raises(ValueError, match="too large"):
        decode_transcript(zlib.compress(bytes(MOST_BYTES + 1)))


def write(path: Path, plan: Plan) -> Path:
    writer = RunWriter(path, plan, started_ns=1, versions={}, host="here")
    writer.add_records([RECORD])
    writer.add_transcripts([ONE, ONE])
    writer.commit(1)
    writer.close()
    return path


def test_a_run_file_keeps_its_evidence_with_role_and_attempt(tmp_path: Path, plan: Plan) -> None:
    path = write(tmp_path / "run.db", plan)

    with open_run(path) as run:
        assert list(run.transcripts()) == [ONE, ONE]
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT id, attempt, role FROM evidence").fetchall()
    connection.close()
    assert rows == [(1, 7, "failure"), (2, 7, "failure")]


@pytest.mark.parametrize("blob", [b"", b"x", "text", 5, encode_transcript(ONE)[:-4]])
def test_damaged_evidence_is_told_in_a_sentence(blob: object, tmp_path: Path, plan: Plan) -> None:
    path = write(tmp_path / "run.db", plan)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE evidence SET transcript = ?", [blob])
    connection.close()

    with open_run(path) as run, pytest.raises(RunFileError, match="damaged"):
        list(run.transcripts())


def test_large_transcripts_are_read_whatever_else_is_read_between(
    open_writer: Callable[..., RunWriter], tmp_path: Path
) -> None:
    flight = Flight(sent=False, at_ns=5, clock=Clock.USER, data=Random(1).randbytes(2_000_000))
    large = replace(ONE, flights=(flight,))
    writer = open_writer()
    writer.add_transcripts([large, ONE, large, large])
    writer.close()
    with open_run(tmp_path / "run.db") as run:
        found = []
        for each in run.transcripts():
            found.append(each)
            run.chains()

    assert found == [large, ONE, large, large]
