from __future__ import annotations

import sqlite3
import zlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.errors import RunFileError
from stress.model.plan import Plan
from stress.model.record import Record
from stress.model.target import Address
from stress.model.transcript import Clock, Flight, Parting, Transcript
from stress.store import RunWriter, open_run
from stress.store.schema import MOST_BYTES, decode_transcript, encode_transcript

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
    with pytest.raises((ValueError, msgspec.MsgspecError)):
        decode_transcript(blob)


def test_a_bomb_is_not_unpacked() -> None:
    with pytest.raises(ValueError, match="too large"):
        decode_transcript(zlib.compress(bytes(MOST_BYTES + 1)))


def write(path: Path, plan: Plan) -> Path:
    writer = RunWriter.create(path, plan, started_ns=1, versions={}, host="here")
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
