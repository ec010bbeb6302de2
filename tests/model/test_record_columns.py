"""Records are described by plain data that JSON and a run file carry unchanged."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from stress.model.record import RecordSource


@given(
    st.builds(
        RecordSource,
        files=st.lists(st.text(), max_size=3).map(tuple),
        failed=st.text(),
        rows=st.integers(0, 1 << 50),
        attempts=st.integers(0, 1 << 50),
        time=st.text(),
        left_out=st.dictionaries(st.text(), st.text(), max_size=3),
        how=st.lists(st.text(), max_size=3).map(tuple),
    )
)
def test_a_source_survives_json(source: RecordSource) -> None:
    assert msgspec.json.decode(msgspec.json.encode(source), type=RecordSource) == source
