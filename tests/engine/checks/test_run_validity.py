from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from stress.engine.checks.run_validity import CanaryStats, HostStats, RunValidity
from stress.model.outcome import NOT_SENT, Side
from stress.model.plan import Address
from stress.model.record import Flag, Record
from tests.engine.conftest import plan_for

PLAN = plan_for(Address("127.0.0.1", 443), b"", concurrency=64)
CALM = [1_000] * 100
LATE = [50_000_000] * 100


@pytest.mark.parametrize(
    ("lags_ns", "words"),
    [(CALM, None), (CALM + LATE, "event-loop lag: p99 50 ms"), (CALM * 99 + [10**9], None)],
)
def test_a_late_event_loop_is_told_when_it_is_the_rule(
    lags_ns: list[int], words: str | None
) -> None:
    validity = RunValidity(PLAN, read_host=HostStats)

    validity.add_worker_load(0, lags_ns, cpu_ns=0)
    validity.check(Counter(), 100)

    assert len(validity.reasons) == (words is not None)
    assert all((words or "") in reason for reason in validity.reasons)
    assert validity.last_lag_ns == max(lags_ns)


def test_the_lag_of_all_workers_is_one_distribution() -> None:
    validity = RunValidity(PLAN, read_host=HostStats)

    validity.add_worker_load(0, CALM, cpu_ns=0)
    validity.add_worker_load(1, LATE, cpu_ns=0)

    assert validity.lag_p99_ns == pytest.approx(50_000_000, rel=0.01)


@pytest.mark.parametrize(
    ("not_sent", "is_told"), [(0, False), (10, False), (11, True), (1000, True)]
)
def test_starts_that_found_no_place_are_told_above_one_percent(
    not_sent: int, is_told: bool
) -> None:
    validity = RunValidity(PLAN, read_host=HostStats)

    validity.check(Counter({Side.NOT_SENT: not_sent}), 1000)

    assert any("not sent" in reason for reason in validity.reasons) is is_told


def test_the_same_note_is_kept_once() -> None:
    validity = RunValidity(PLAN, read_host=HostStats)

    validity.note("once")
    validity.note("once")

    assert validity.reasons == ["once"]


def test_without_a_word_from_the_workers_nothing_is_known() -> None:
    validity = RunValidity(PLAN, read_host=HostStats)

    validity.check(Counter(), 0)

    assert validity.reasons == []
    assert validity.lag_p99_ns is None


OPEN = plan_for(Address("127.0.0.1", 443), b"", rate=100.0, concurrency=64)
BLANK = Record(**dict.fromkeys(Record._fields))  # type: ignore[arg-type] # filled in where it tells
STILL = BLANK._replace(outcome=NOT_SENT.name, flags=Flag.LOCAL_PRESSURE)
UNSENT = {Side.NOT_SENT: 100}


def test_places_that_a_slow_target_kept_are_no_fault_of_the_generator() -> None:
    validity = RunValidity(OPEN, read_host=HostStats)

    validity.add_worker_load(0, CALM, cpu_ns=0)
    validity.check(Counter(UNSENT), 1000)

    assert not validity.invalid
    assert (
        "100 of 1,000 attempts were due but not sent: concurrency limit (64) reached"
        in validity.reasons[0]
    )


@pytest.mark.parametrize(("lags_ns", "rows"), [(LATE, []), (CALM, [STILL] * 100)])
def test_starts_that_we_ourselves_missed_make_the_run_invalid(
    lags_ns: list[int], rows: list[Record]
) -> None:
    validity = RunValidity(OPEN, read_host=HostStats)

    validity.add_worker_load(0, lags_ns, cpu_ns=0)
    validity.add_records(rows)
    validity.check(Counter(UNSENT), 1000)

    assert validity.invalid
    assert validity.reasons[0].startswith("generator-limited: 100 of 1,000 attempts were due")


def test_a_search_for_the_limit_goes_beyond_what_is_possible_on_purpose() -> None:
    validity = RunValidity(replace(OPEN, find_limit="failing<1%"), read_host=HostStats)

    validity.add_worker_load(0, LATE, cpu_ns=0)
    validity.check(Counter(UNSENT), 1000)

    assert not validity.invalid


@pytest.mark.parametrize(
    ("ip", "sources", "chains", "is_told"),
    [
        ("192.0.2.1", (), 1, True),
        ("192.0.2.1", (), 2, False),
        ("192.0.2.1", ("10.0.0.1", "10.0.0.2"), 1, False),
        ("127.0.0.1", (), 1, False),
    ],
)
def test_one_source_that_met_one_chain_is_said(
    ip: str, sources: tuple[str, ...], chains: int, is_told: bool
) -> None:
    validity = RunValidity(
        replace(plan_for(Address(ip, 443), b"", rate=100.0), sources=sources), read_host=HostStats
    )

    validity.check(Counter(), 1000, chains)

    assert any(reason.startswith("one-source: ") for reason in validity.reasons) is is_told
    assert not validity.invalid


def test_what_the_kernel_counted_meanwhile_is_told() -> None:
    readings = iter([HostStats(3, 10**10), HostStats(3_000, 5 * 10**7)])
    validity = RunValidity(OPEN, read_host=lambda: next(readings))

    validity.check(Counter(), 1000)

    queue, memory = validity.reasons
    assert queue.startswith("a receive queue of this machine was full 2,997 times")
    assert memory == "memory was nearly exhausted: 50 MB were left"


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (
            HostStats(untracked=5, tracked=50, tracked_limit=100),
            HostStats(untracked=5, tracked=90, tracked_limit=100),
            None,
        ),
        (HostStats(untracked=5), HostStats(untracked=9), "was full (4 packets dropped)"),
        (HostStats(), HostStats(tracked=97, tracked_limit=100), "connection tracking table"),
        (HostStats(waiting_ports=900, local_ports=28_232), HostStats(), None),
        (
            HostStats(waiting_ports=20_000, local_ports=28_232),
            HostStats(),
            "in TIME_WAIT when the run",
        ),
    ],
)
def test_full_tables_and_used_up_ports_of_this_machine_are_told(
    first: HostStats, last: HostStats, words: str | None
) -> None:
    readings = iter([first, last])
    validity = RunValidity(OPEN, read_host=lambda: next(readings))

    validity.check(Counter(), 1000)

    assert len(validity.reasons) == (words is not None)
    assert all((words or "") in reason for reason in validity.reasons)


QUICK, SLOW = 3_000_000, 400_000_000


@pytest.mark.parametrize(
    ("totals_ns", "words"),
    [
        ([], None),
        ([QUICK] * 100, None),
        ([*[QUICK] * 100, SLOW, SLOW], None),  # a moment
        ([*[QUICK] * 97, *[SLOW] * 3], "0 failed and 3 took over 100 ms (up to 0.4 s)"),
        ([*[QUICK] * 97, *[None] * 3], "of 100 handshakes"),
        ([*[QUICK] * 9_000, *[SLOW] * 30], None),  # a third of a per cent
        ([None] * 100, None),  # this client cannot talk to it
    ],
)
def test_canaries_accuse_us_when_many_are_bad(
    totals_ns: list[int | None], words: str | None
) -> None:
    canaries = CanaryStats()

    for begin in range(0, len(totals_ns), 7):
        canaries.add(totals_ns[begin : begin + 7])
    warning = canaries.warning()

    assert (warning is None) is (words is None)
    assert words is None or (warning is not None and words in warning)


def taking(total_ns: int, server_ns: int) -> Record:
    return BLANK._replace(
        outcome="ok", flags=0, connect_ns=0, server_ns=server_ns, handshake_ns=server_ns,
        total_ns=total_ns, started_ns=0, due_ns=0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("row", "stalls", "invalid", "words"),
    [
        # 100/s that take 4 s each keep 400 places: the target filled 64, however late we were.
        (taking(4_200_000_000, 4_000_000_000), 0, False, "4.0 s on average, so 100/s keeps 400"),
        (taking(4_200_000_000, 4_000_000_000), 30, False, "30 of them because this machine"),
        (taking(4_200_000_000, 4_000_000_000), 60, True, "this machine could not keep up"),
        (taking(900_000_000, 20_000_000), 0, True, "this machine could not keep up"),
        # Too short for the places on average, but the target's: it stops now and then.
        (taking(300_000_000, 280_000_000), 0, False, "concurrency limit (64) reached"),
    ],
)
def test_who_took_the_time_filled_the_places(
    row: Record, stalls: int, invalid: bool, words: str
) -> None:
    validity = RunValidity(OPEN, read_host=HostStats)
    validity.add_worker_load(0, LATE * 3 + [200_000_000] * 100, cpu_ns=0)
    validity.add_records([row._replace(id=n, server_ns=row.server_ns) for n in range(900)])
    validity.add_records([STILL] * stalls)

    validity.check(Counter(UNSENT), 1000)

    assert validity.invalid is invalid
    assert words in validity.reasons[0]
