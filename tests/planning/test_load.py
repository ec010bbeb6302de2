from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.errors import UsageError
from stress.host.limits import Machine
from stress.model.plan import Client, Close, Limits, Load, Plan, Sweep, Target
from stress.planning.load import (
    FILES_BESIDE,
    amount_of,
    check_sweep,
    detection_size,
    files_needed,
    limits_of,
)
from stress.planning.plan import plan_run
from stress.planning.request import Request


def load_of(machine: Machine, request: Request) -> Load:
    return amount_of(request, machine, attempt_s=10.0)[0]


@pytest.mark.parametrize(
    ("request_", "load"),
    [
        (Request(), Load(1000, None, 64, 50.0, processes=4)),
        (Request(seed=7, processes=2), Load(1000, None, 64, 50.0, processes=2)),
        (Request(count=500), Load(500, None, 64, None, processes=4)),
        (Request(count="20k"), Load(20_000, None, 64, None, processes=4)),
        (Request(duration="30s"), Load(None, 30.0, 64, None, processes=4)),
        (Request(count=500, duration="30s"), Load(500, 30.0, 64, None, processes=4)),
        (Request(count=0, duration="30s"), Load(None, 30.0, 64, None, processes=4)),
        (Request(concurrency=200), Load(1000, None, 200, None, processes=4)),
        (Request(concurrency=3), Load(1000, None, 3, None, processes=3)),
        (Request(count=2), Load(2, None, 2, None, processes=2)),
        (Request(count=100, concurrency=500), Load(100, None, 100, None, processes=4)),
        (Request(rate="20/s"), Load(1000, None, 200, 20.0, processes=4)),
        (Request(rate="1"), Load(1000, None, 64, 1.0, processes=4)),
        (Request(rate="none"), Load(1000, None, 64, None, processes=4)),
        (Request(rate="30/m", duration="1h"), Load(None, 3600.0, 64, 0.5, processes=4)),
        (Request(detect="0.3%"), Load(998, None, 64, None, processes=4)),
        (Request(detect="0.1%", rate="500"), Load(2995, None, 2995, 500.0, processes=4)),
        (Request(until=("failures>=1",)), Load(None, 900.0, 64, 50.0, processes=4)),
        (Request(until=("x",), max_duration="5m"), Load(None, 300.0, 64, 50.0, processes=4)),
        (Request(until=("x",), count=500), Load(500, 900.0, 64, None, processes=4)),
        (Request(until=("x",), duration="1h"), Load(None, 900.0, 64, None, processes=4)),
        (Request(until=("x",), duration="30s"), Load(None, 30.0, 64, None, processes=4)),
        (Request(max_duration="30s"), Load(1000, 30.0, 64, 50.0, processes=4)),
    ],
)
def test_load_options_become_a_load(machine: Machine, request_: Request, load: Load) -> None:
    assert load_of(replace(machine, open_files=20_000), request_) == load


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (Request(count=0), "nothing would be sent"),
        (Request(count=0, duration="0s"), "nothing would be sent"),
        (Request(duration="0"), "nothing would be sent"),
        (Request(detect="0.1%", count=5), "--detect and --count"),
        (Request(detect="0%"), "--detect: a failure rate of 0"),
        (Request(detect="100%"), "--detect: a failure rate of 1"),
        (Request(find_limit="p99.total<1s", until=("failures>=1",)), "or --until"),
        (Request(max_duration="0"), '--max-duration: "0"'),
        (Request(rate="none", rate_blocks=True), "--rate-blocks: no rate"),
        (Request(rate="100", rate_blocks=True, count=5), "by time"),
        (Request(rate="100", rate_blocks=True, detect="1%"), "by time"),
        (Request(rate="100", rate_blocks=True, duration="9s"), "too short"),
        (Request(count="lots"), '--count: "lots"'),
        (Request(duration="soon"), '--duration: "soon"'),
        (Request(rate="0"), "--rate: .* is not a rate"),
        (Request(concurrency=0), '--concurrency: "0"'),
        (Request(processes=0), '--processes: "0"'),
        (Request(processes=8, concurrency=4), "--processes: 8 for 4"),
    ],
)
def test_a_load_that_is_none_is_explained(machine: Machine, request_: Request, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        load_of(machine, request_)

    assert caught.value.hint


@pytest.mark.parametrize("request_", [Request(), Request(count=5, rate="50")])
def test_more_in_flight_than_files_is_refused_with_the_limit(
    machine: Machine, request_: Request
) -> None:
    asked = replace(request_, concurrency=10_000)

    with pytest.raises(UsageError, match="1,000 are allowed") as caught:
        load_of(machine, asked)

    assert "3,488 would fit" in str(caught.value.hint)
    assert "ulimit -Hn 2628" in str(caught.value.hint)


def test_exactly_what_fits_the_file_limit_is_allowed(machine: Machine) -> None:
    load = load_of(machine, Request(count=10_000, concurrency=4 * (1000 - FILES_BESIDE)))

    assert files_needed(load) == 1000
    with pytest.raises(UsageError):
        load_of(machine, Request(count=10_000, concurrency=load.concurrency + 1))


def test_a_default_is_lowered_to_what_fits_and_says_so(machine: Machine) -> None:
    load, notes = amount_of(Request(rate="5000", duration="1m"), machine, attempt_s=10.0)

    assert load.concurrency == 4 * (1000 - FILES_BESIDE)
    assert "a silent target would hold 50,000" in notes[0]


def test_without_a_limit_of_files_anything_fits() -> None:
    machine = Machine(cores=1, open_files=None, local_ports=1)

    assert load_of(machine, Request(count=10**6, concurrency=10**6)).concurrency == 10**6


@pytest.mark.parametrize(
    ("share", "size"), [(0.003, 998), (0.001, 2995), (0.5, 5), (0.01, 299), (0.96, 1)]
)
def test_the_sample_is_the_smallest_that_detects_the_failure_rate(share: float, size: int) -> None:
    assert detection_size(str(share)) == size


@given(st.integers(1000, 999_000_000).map(lambda n: n / 10**9))
def test_a_smaller_sample_would_overlook_it_too_often(share: float) -> None:
    size = detection_size(f"{share:.9f}")

    assert (1 - share) ** size <= 0.05 * (1 + 1e-6)
    assert (1 - share) ** (size - 1) > 0.05 * (1 - 1e-6)


def test_a_run_with_rate_blocks_lasts_as_long_as_its_segments(machine: Machine) -> None:
    """The cap must hold what the fastest segment may have in flight."""
    load = amount_of(Request(rate="20", rate_blocks=True), machine, 10.0, seed=3)[0]

    assert (load.count, load.duration_s, load.concurrency) == (None, 400.0, 250)
    assert max(segment.rate for segment in load.segments) == 25.0


def test_limits_have_defaults() -> None:
    assert limits_of(Request()) == Limits()


@pytest.mark.parametrize(
    ("request_", "limits"),
    [
        (
            Request(timeout="30s"),
            Limits(attempt_s=30, connect_s=30, hello_s=30, handshake_s=30),
        ),
        (
            Request(timeout="100ms"),
            Limits(0.1, connect_s=0.1, hello_s=0.1, handshake_s=0.1),
        ),
        (
            Request(timeout="5s", connect_timeout="1s", hello_timeout="2s", handshake_timeout="9s"),
            Limits(5, connect_s=1, hello_s=2, handshake_s=5),
        ),
        (Request(after_handshake="0"), Limits(after_handshake_s=0)),
        (Request(after_handshake="1s"), Limits(after_handshake_s=1)),
        (Request(drain="0"), Limits(drain_s=0)),
        (Request(drain="30s"), Limits(drain_s=30)),
    ],
)
def test_a_stage_takes_the_whole_attempt_unless_limited(request_: Request, limits: Limits) -> None:
    assert limits_of(request_) == limits


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (Request(timeout="0"), "--timeout"),
        (Request(timeout="never"), "--timeout"),
        (Request(connect_timeout="0s"), "connect-timeout"),
        (Request(hello_timeout="x"), "hello-timeout"),
        (Request(handshake_timeout="-1s"), "handshake-timeout"),
        (Request(after_handshake="x"), "after-handshake"),
    ],
)
def test_a_limit_that_would_end_everything_is_refused(request_: Request, says: str) -> None:
    with pytest.raises(UsageError, match=f"^{says}: "):
        limits_of(request_)


BOTH = ("rsa-only", "ecdsa-only")
GOAL = "failing<0.1%"
ONE = Plan(Target("a.test"), (), (Client("generic"),))


@pytest.mark.parametrize(
    ("words", "sweep"),
    [
        ((), ()),
        (("clients",), (Sweep.CLIENTS,)),
        (("Concurrency", "clients", "clients"), (Sweep.CONCURRENCY, Sweep.CLIENTS)),
    ],
)
def test_what_is_swept_over_is_read(words: tuple[str, ...], sweep: tuple[Sweep, ...]) -> None:
    request = Request(sweep=words, find_limit=GOAL)
    check_sweep(request, replace(ONE, resumption=1.0))

    assert request.values("sweep", Sweep) == sweep


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (Request(sweep=("client",), find_limit=GOAL), "not one of clients, concurrency"),
        (Request(sweep=("clients",)), "there is no search for a limit"),
    ],
)
def test_what_is_no_sweep_is_explained(request_: Request, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        check_sweep(request_, replace(ONE, resumption=1.0))


def test_one_kind_of_handshake_is_nothing_to_sweep_over() -> None:
    by_client = Request(sweep=("clients",), find_limit=GOAL)

    with pytest.raises(UsageError, match="generic is the only kind"):
        check_sweep(by_client, ONE)

    check_sweep(by_client, replace(ONE, resumption=0.7))
    check_sweep(by_client, replace(ONE, clients=(Client("a"), Client("b"))))
    check_sweep(Request(sweep=("concurrency",), find_limit=GOAL), ONE)


def test_a_sweep_becomes_part_of_the_plan(machine: Machine) -> None:
    request = Request(
        targets=("127.0.0.1:443",), profile="capacity", clients=BOTH, sweep=("clients",)
    )

    plan = plan_run(request, now=0, machine=machine)

    assert plan.sweep == (Sweep.CLIENTS,)
    assert plan.load.rate == 50


def test_a_sweep_over_the_concurrency_offers_no_rate(machine: Machine) -> None:
    request = Request(targets=("127.0.0.1:443",), profile="capacity", sweep=("concurrency",))

    assert plan_run(request, now=0, machine=machine).load.rate is None


def test_a_search_does_not_use_up_the_local_ports(machine: Machine) -> None:
    """It begins at 50 a second, for which FIN would do; it ends as fast as the target takes it."""
    request = Request(targets=("127.0.0.1:443",), profile="capacity")

    assert plan_run(request, now=0, machine=machine).close is Close.RST
