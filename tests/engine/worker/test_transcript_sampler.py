from __future__ import annotations

import ssl
from dataclasses import replace
from time import monotonic_ns

import pytest
import trio

from stress.engine.worker import dial
from stress.engine.worker.attempt import Attempt, AttemptSpec, WorkerContext
from stress.engine.worker.timestamps import Arrival, Moment
from stress.engine.worker.transcript_sampler import (
    FIRST_WAIT_NS,
    KEYED,
    MOVES_BYTES,
    SIGNATURES,
    Departure,
    Keyed,
    Move,
    Rupture,
    TranscriptSampler,
)
from stress.handshake import KeyLog, stack_for
from stress.model.client import Client, Stack
from stress.model.plan import Limits
from stress.model.record import Record
from stress.model.target import Address
from stress.model.transcript import Clock, Parting, Transcript
from tests.engine.conftest import HOST, Behaviour, Serve, flown, leave, reset, speak
from tests.engine.test_messages import RECORD
from tests.stacks import main_stack

THERE = Address("127.0.0.1", 443)
MINUTE_NS = FIRST_WAIT_NS
GOOD, BAD = bytes([1]) * 32, bytes([2]) * 32
MOVES: tuple[Move, ...] = (
    Departure(b"hello", Moment(1_000, 100)),
    Arrival(b"world", 1_500, Moment(1_900, 1_000)),
    Departure(b"", Moment(2_000, 1_100)),
)


def heard(
    witness: TranscriptSampler, *records: Record, moves: tuple[Move, ...] = MOVES
) -> list[Transcript]:
    for record in records:
        witness.hear(record, moves, address=THERE, source=None, started_ns=90)
    return witness.collect()


def row(chain: bytes | None = GOOD, *, after_ns: int = 0, **other: object) -> Record:
    return RECORD._replace(chain=chain, started_ns=after_ns, bytes_received=5, **other)  # type: ignore[arg-type]  # a row of mixed types


def test_the_first_of_each_signature_are_kept() -> None:
    kept = heard(TranscriptSampler(2, 100_000), *[row()] * 9, *[row(BAD)] * 9, *[row(client=1)] * 9)

    assert [(each.record.chain, each.record.client) for each in kept] == [
        *[(GOOD, 0)] * 2, *[(BAD, 0)] * 2, *[(GOOD, 1)] * 2,
    ]  # fmt: skip


def test_later_ones_are_kept_ever_more_rarely() -> None:
    minutes = [row(after_ns=minute * MINUTE_NS) for minute in range(64)]

    kept = heard(TranscriptSampler(1, 100_000), *minutes)

    assert [each.record.started_ns // MINUTE_NS for each in kept] == [0, 1, 3, 7, 15, 31, 63]


def test_a_rare_one_gets_a_companion_of_the_same_place_and_moment() -> None:
    witness = TranscriptSampler(1, 100_000)
    heard(witness, *[row()] * 5, *[row(client=1)] * 5)

    kept = heard(witness, row(BAD, after_ns=7), row(client=1, after_ns=8), row(after_ns=9), row())

    assert [each.record.started_ns for each in kept] == [7, 9]


def test_a_common_one_gets_no_companion() -> None:
    witness = TranscriptSampler(1, 100_000)

    assert len(heard(witness, row(), row(BAD), *[row(), row(BAD)] * 20)) < 6


def test_what_is_kept_stays_within_its_room() -> None:
    witness = TranscriptSampler(5, 10_000)

    kept = heard(witness, *[row(bytes([number]) * 32) for number in range(200)])

    assert 10 < len(kept) <= 20
    assert sum(each.bytes_kept for each in kept) < 10_000
    assert heard(witness, row(BAD, after_ns=9 * MINUTE_NS)) == []


def test_later_ones_leave_half_of_the_room_to_new_signatures() -> None:
    witness = TranscriptSampler(1, 2_000)
    heard(witness, row(), row(client=1))

    assert heard(witness, row(after_ns=9 * MINUTE_NS)) == []
    assert len(heard(witness, row(BAD))) == 1


def test_signatures_that_never_end_are_not_told_apart_for_ever() -> None:
    witness = TranscriptSampler(1, 1)
    heard(witness, *[row(number.to_bytes(32)) for number in range(SIGNATURES + 9)])

    assert len(witness._seen) == SIGNATURES


@pytest.mark.parametrize("outcome", ["cancelled", "local-ports", "local-lag", "not-sent"])
def test_an_ending_of_our_own_is_never_kept(outcome: str) -> None:
    assert heard(TranscriptSampler(5, 100_000), row(outcome=outcome)) == []


def test_a_kernel_stamp_is_taken_where_it_can_be_true() -> None:
    late = (*MOVES[:1], Arrival(b"world", 1_901, Moment(1_900, 1_000)))

    (true,), (false,) = (
        heard(TranscriptSampler(1, 9_999), row()),
        heard(TranscriptSampler(1, 9_999), row(), moves=late),
    )

    assert [(each.at_ns, each.clock) for each in true.flights] == [
        (1_000, Clock.USER),
        (1_500, Clock.KERNEL),
    ]
    assert (false.flights[1].at_ns, false.flights[1].clock) == (1_900, Clock.USER)


def test_the_dial_is_told_on_the_clock_of_the_flights() -> None:
    (kept,) = heard(TranscriptSampler(1, 9_999), row(after_ns=123_456))

    assert kept.dialled_ns == 990
    assert (
        heard(TranscriptSampler(1, 9_999), row(after_ns=123_456), moves=())[0].dialled_ns == 123_456
    )


def test_partings_say_who_left_and_how() -> None:
    at = Moment(3_000, 5)
    moves = (*MOVES[:1], Rupture(at), Arrival(b"", None, at), Departure(b"", at, reset=True))

    (kept,) = heard(TranscriptSampler(1, 9_999), row(), moves=moves)

    assert kept.partings == (
        Parting(sent=False, at_ns=3_000, reset=True),
        Parting(sent=False, at_ns=3_000, reset=False),
        Parting(sent=True, at_ns=3_000, reset=True),
    )


def test_more_received_than_noted_is_said() -> None:
    assert not heard(TranscriptSampler(1, 9_999), row())[0].cut
    assert heard(TranscriptSampler(1, 9_999), row()._replace(bytes_received=6))[0].cut


def attempt(
    address: Address, stack: Stack, versions: tuple[int, ...] = (0x0304, 0x0303), **other: object
) -> tuple[Record, list[Transcript]]:
    """One attempt against a real server, heard by a witness with a key log."""
    with KeyLog() as key_log:
        client, witness = (
            Client("generic", versions=versions),
            TranscriptSampler(5, 100_000, key_log),
        )
        plain = stack_for(client, stack, server_name=HOST)
        logged = stack_for(client, stack, server_name=HOST, key_log=key_log)
        tools = WorkerContext(
            (Keyed(plain, logged, witness),), Limits(attempt_s=2), dial.Ports(1), reset=True,
            unix_offset_ns=0, witness=witness,
        )  # fmt: skip
        tools = replace(tools, **other)  # type: ignore[arg-type]  # the case knows the field
        job = AttemptSpec(7, monotonic_ns(), 0, address, 0, None, None)
        record = trio.run(flown, Attempt(job, tools))
        return record, witness.collect()


@pytest.mark.parametrize("stack", Stack)
@pytest.mark.parametrize(
    ("version", "labels"),
    [
        (0x0304, {"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET"}),
        (0x0303, {"CLIENT_RANDOM"}),
    ],
)
def test_a_handshake_is_kept_with_all_bytes_and_the_secrets_of_the_handshake_alone(
    stack: Stack, version: int, labels: set[str], serve: Serve, tls: ssl.SSLContext
) -> None:
    record, (kept,) = attempt(serve(speak(tls)), stack, (version,))

    received = b"".join(each.data for each in kept.flights if not each.sent)
    assert kept.record == record
    assert len(received) == record.bytes_received
    assert kept.flights[0].data[:3] == b"\x16\x03\x01"
    assert {line.split()[0] for line in kept.secrets} == labels
    assert [each.at_ns for each in kept.flights] == sorted(each.at_ns for each in kept.flights)
    assert kept.local_ip == "127.0.0.1"
    assert kept.partings[-1].reset


@pytest.mark.parametrize(("behaviour", "is_reset"), [(leave, False), (reset, True)])
def test_how_the_server_left_is_kept(
    behaviour: Behaviour,
    is_reset: bool,
    serve: Serve,
) -> None:
    _, (kept,) = attempt(serve(behaviour), main_stack())

    assert [(each.sent, each.reset) for each in kept.partings] == [(False, is_reset), (True, True)]


def test_the_close_notify_before_a_fin_is_kept(serve: Serve, tls: ssl.SSLContext) -> None:
    _, (kept,) = attempt(serve(speak(tls)), main_stack(), reset=False)

    assert kept.flights[-1].sent
    assert kept.flights[-1].data[:1] == b"\x17"
    assert [(each.sent, each.reset) for each in kept.partings] == [(True, False)]


def test_a_flood_is_noted_only_in_its_beginning(serve: Serve) -> None:
    _, (kept,) = attempt(serve(lambda peer: peer.sendall(bytes(40 * MOVES_BYTES))), Stack.OPENSSL)

    assert kept.bytes_kept < 3 * MOVES_BYTES


def test_secrets_are_logged_while_they_may_be_needed() -> None:
    with KeyLog() as key_log:
        witness = TranscriptSampler(1, 100_000, key_log)
        plain = stack_for(Client("generic"), Stack.OPENSSL, server_name=HOST)
        logged = stack_for(Client("generic"), Stack.OPENSSL, server_name=HOST, key_log=key_log)
        maker = Keyed(plain, logged, witness)
        heard(witness, *[row()] * KEYED)
        assert witness.keyed == 1
        heard(witness, row(), row())
        assert witness.keyed == 0
        assert maker.machine().begin().send
        heard(witness, row(BAD))
        assert witness.keyed == KEYED
