"""A record has the columns of the run file, and its flags do not overlap."""

from __future__ import annotations

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
