"""A record has the columns of the run file, and its flags do not overlap."""

from __future__ import annotations

import pytest

from stress.model.record import Flag, Record

PROMISED = {
    *("id", "due_ns", "started_ns", "address", "local_port", "client", "outcome", "stage"),
    *("chain", "tls_version", "cipher", "key_group", "alpn", "resumed", "connect_ns"),
    *("server_ns", "handshake_ns", "lag_ns", "bytes_received"),
}


def test_a_record_has_every_column_that_the_run_file_promises() -> None:
    assert set(Record._fields) >= PROMISED


def test_flags_are_bits_of_their_own() -> None:
    bits = [bit for name, bit in vars(Flag).items() if name.isupper()]

    assert sum(bits) == (1 << len(bits)) - 1


@pytest.mark.parametrize(
    ("known", "target_ns"),
    [
        ({"connect_ns": 3, "server_ns": 50, "handshake_ns": 70}, 53),
        ({"connect_ns": 3, "server_ns": 900, "handshake_ns": 70}, 200),  # never above the total
        ({"connect_ns": 3, "lag_ns": 20}, 170),  # cut off: all but what we were late by
        ({"lag_ns": 500}, 0),
    ],
)
def test_the_targets_time_is_what_is_not_ours(known: dict[str, int], target_ns: int) -> None:
    blank = Record(**dict.fromkeys(Record._fields))  # type: ignore[arg-type]
    row = blank._replace(due_ns=0, started_ns=10, total_ns=200)

    assert row._replace(**known).target_ns == target_ns  # type: ignore[arg-type]
