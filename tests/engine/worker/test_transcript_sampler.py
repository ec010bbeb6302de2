from __future__ import annotations

import ssl
from contextlib import closing
from dataclasses import replace
from time import monotonic_ns

import pytest
import trio

from stress.engine.worker import dial
from stress.engine.worker.attempt import AttemptSpec, WorkerContext
from stress.engine.worker.timestamps import ABORTED, RECEIVED, RESET, SENT, WireEvent
from stress.engine.worker.transcript_sampler import (
    EVENTS_BYTES,
    FIRST_WAIT_NS,
    KEYED,
    SIGNATURES,
    KeyLogSwitch,
    TranscriptSampler,
)
from stress.handshake import KeyLog, stack_for
from stress.model.plan import Address, Client, Limits, Stack
from stress.model.record import Record
from stress.model.transcript import Clock, Parting, Transcript
from tests.engine.conftest import HOST, Behaviour, Serve, finished, leave, reset, speak
from tests.engine.test_messages import RECORD
from tests.stacks import main_stack

THERE = Address("127.0.0.1", 443)
MINUTE_NS = FIRST_WAIT_NS
GOOD, BAD = bytes([1]) * 32, bytes([2]) * 32
EVENTS: tuple[WireEvent, ...] = (
    (SENT, b"hello", None, 1_000, 100),
    (RECEIVED, b"world", 1_500, 1_900, 1_000),
    (SENT, b"", None, 2_000, 1_100),
)


def sampled(
    sampler: TranscriptSampler, *records: Record, events: tuple[WireEvent, ...] = EVENTS
) -> list[Transcript]:
    for record in records:
        sampler.add(record, events, address=THERE, source=None, started_ns=90)
    return sampler.collect()


def row(chain: bytes | None = GOOD, *, after_ns: int = 0, **other: object) -> Record:
    return RECORD._replace(chain=chain, started_ns=after_ns, bytes_received=5, **other)  # type: ignore[arg-type]  # a row of mixed types


def test_the_first_of_each_signature_are_kept() -> None:
    kept = sampled(
        TranscriptSampler(2, 100_000), *[row()] * 9, *[row(BAD)] * 9, *[row(client=1)] * 9
    )

    assert [(each.record.chain, each.record.client) for each in kept] == [
        *[(GOOD, 0)] * 2, *[(BAD, 0)] * 2, *[(GOOD, 1)] * 2,
    ]  # fmt: skip


def test_later_ones_are_kept_ever_more_rarely() -> None:
    minutes = [row(after_ns=minute * MINUTE_NS) for minute in range(64)]

    kept = sampled(TranscriptSampler(1, 100_000), *minutes)

    assert [each.record.started_ns // MINUTE_NS for each in kept] == [0, 1, 3, 7, 15, 31, 63]


def test_a_rare_one_gets_a_companion_of_the_same_place_and_moment() -> None:
    sampler = TranscriptSampler(1, 100_000)
    sampled(sampler, *[row()] * 5, *[row(client=1)] * 5)

    kept = sampled(sampler, row(BAD, after_ns=7), row(client=1, after_ns=8), row(after_ns=9), row())

    assert [each.record.started_ns for each in kept] == [7, 9]


def test_a_common_one_gets_no_companion() -> None:
    sampler = TranscriptSampler(1, 100_000)

    assert len(sampled(sampler, row(), row(BAD), *[row(), row(BAD)] * 20)) < 6


def test_what_is_kept_stays_within_its_room() -> None:
    sampler = TranscriptSampler(5, 10_000)

    kept = sampled(sampler, *[row(bytes([number]) * 32) for number in range(200)])

    assert 10 < len(kept) <= 20
    assert sum(each.bytes_kept for each in kept) < 10_000
    assert sampled(sampler, row(BAD, after_ns=9 * MINUTE_NS)) == []


def test_later_ones_leave_half_of_the_room_to_new_signatures() -> None:
    sampler = TranscriptSampler(1, 2_000)
    sampled(sampler, row(), row(client=1))

    assert sampled(sampler, row(after_ns=9 * MINUTE_NS)) == []
    assert len(sampled(sampler, row(BAD))) == 1


def test_signatures_that_never_end_are_not_told_apart_for_ever() -> None:
    sampler = TranscriptSampler(1, 1)
    sampled(sampler, *[row(number.to_bytes(32)) for number in range(SIGNATURES + 9)])

    assert len(sampler._seen) == SIGNATURES


@pytest.mark.parametrize("outcome", ["cancelled", "local-ports", "local-lag", "not-sent"])
def test_an_ending_of_our_own_is_never_kept(outcome: str) -> None:
    assert sampled(TranscriptSampler(5, 100_000), row(outcome=outcome)) == []


def test_a_kernel_stamp_is_taken_where_it_can_be_true() -> None:
    late = (*EVENTS[:1], (RECEIVED, b"world", 1_901, 1_900, 1_000))

    (true,), (false,) = (
        sampled(TranscriptSampler(1, 9_999), row()),
        sampled(TranscriptSampler(1, 9_999), row(), events=late),
    )

    assert [(each.at_ns, each.clock) for each in true.flights] == [
        (1_000, Clock.USER),
        (1_500, Clock.KERNEL),
    ]
    assert (false.flights[1].at_ns, false.flights[1].clock) == (1_900, Clock.USER)


def test_the_dial_is_told_on_the_clock_of_the_flights() -> None:
    (kept,) = sampled(TranscriptSampler(1, 9_999), row(after_ns=123_456))

    assert kept.dialled_ns == 990
    assert (
        sampled(TranscriptSampler(1, 9_999), row(after_ns=123_456), events=())[0].dialled_ns
        == 123_456
    )


def test_partings_say_who_left_and_how() -> None:
    parted: list[WireEvent] = [(what, b"", None, 3_000, 5) for what in (RESET, RECEIVED, ABORTED)]
    events = (*EVENTS[:1], *parted)

    (kept,) = sampled(TranscriptSampler(1, 9_999), row(), events=events)

    assert kept.partings == (
        Parting(sent=False, at_ns=3_000, reset=True),
        Parting(sent=False, at_ns=3_000, reset=False),
        Parting(sent=True, at_ns=3_000, reset=True),
    )


def test_more_received_than_noted_is_said() -> None:
    assert not sampled(TranscriptSampler(1, 9_999), row())[0].cut
    assert sampled(TranscriptSampler(1, 9_999), row()._replace(bytes_received=6))[0].cut


def attempt(
    address: Address, stack: Stack, versions: tuple[int, ...] = (0x0304, 0x0303), **other: object
) -> tuple[Record, list[Transcript]]:
    """One attempt against a real server, heard by a sampler with a key log."""
    with closing(KeyLog()) as key_log:
        client, sampler = (
            Client("generic", versions=versions),
            TranscriptSampler(5, 100_000, key_log),
        )
        plain = stack_for(client, stack, server_name=HOST)
        logged = stack_for(client, stack, server_name=HOST, key_log=key_log)
        tools = WorkerContext(
            (KeyLogSwitch(plain, logged, sampler),), Limits(attempt_s=2), dial.Ports(1), reset=True,
            unix_offset_ns=0, sampler=sampler,
        )  # fmt: skip
        tools = replace(tools, **other)  # type: ignore[arg-type]  # the case knows the field
        spec = AttemptSpec(7, monotonic_ns(), 0, address, 0, None, None)
        one = trio.run(finished, spec, tools)
        return one.record, sampler.collect()


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
    _, (kept,) = attempt(serve(lambda peer: peer.sendall(bytes(40 * EVENTS_BYTES))), Stack.OPENSSL)

    assert kept.bytes_kept < 3 * EVENTS_BYTES


def test_secrets_are_logged_while_they_may_be_needed() -> None:
    with closing(KeyLog()) as key_log:
        sampler = TranscriptSampler(1, 100_000, key_log)
        plain = stack_for(Client("generic"), Stack.OPENSSL, server_name=HOST)
        logged = stack_for(Client("generic"), Stack.OPENSSL, server_name=HOST, key_log=key_log)
        maker = KeyLogSwitch(plain, logged, sampler)
        sampled(sampler, *[row()] * KEYED)
        assert sampler.keyed == 1
        sampled(sampler, row(), row())
        assert sampler.keyed == 0
        assert maker.machine().begin().send
        sampled(sampler, row(BAD))
        assert sampler.keyed == KEYED
