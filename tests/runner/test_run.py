from __future__ import annotations

import io
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from stress.errors import UsageError
from stress.model.plan import Address, Client, Load, Plan, Target
from stress.model.summary import Answer
from stress.planning.profile import filled
from stress.planning.request import Request
from stress.runner.judge import AS_RECORDED
from stress.runner.observers import Display
from stress.runner.run import RESULTS, RunLocation, canary_for, needs_canary, prepare, record
from stress.store import open_run


def test_the_location_is_the_command_lines_then_the_profiles_then_the_default(
    tmp_path: Path,
) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text('name = "nightly"\nresults = "kept"\n')
    in_profile, _ = filled(Request(profile=str(profile)))
    given, _ = filled(Request(profile=str(profile), results="here", name="now"))

    assert RunLocation.of(Request()) == RunLocation(RESULTS, None)
    assert RunLocation.of(in_profile) == RunLocation(tmp_path / "kept", "nightly")
    assert RunLocation.of(given) == RunLocation(Path("here"), "now")


@pytest.fixture
def request_16(farm_words: tuple[str, ...]) -> Request:
    target, _, address, _, ca = farm_words
    return Request(targets=(target,), addresses_inline=(address,), ca=ca, count=16, processes=1)


@pytest.mark.slow
def test_a_recorded_run_can_be_summarized_again_and_again(
    request_16: Request, tmp_path: Path
) -> None:
    said: list[str] = []
    path = record(prepare(request_16), RunLocation(tmp_path, "once"), Display(said.append))
    with open_run(path) as run:
        first, second = AS_RECORDED.summarize(run), AS_RECORDED.summarize(run)

    assert path == tmp_path / "once.db"
    assert said == [f"run file: {path}"]
    assert first == second
    assert first.verdict is Answer.FAILING
    assert first.failures.categories == {"incomplete-chain": 2}
    assert "127.0.0.1" in first.run.host


@pytest.mark.long
@pytest.mark.slow
def test_a_taken_name_gets_a_number_and_progress_goes_to_the_stream(
    request_16: Request, tmp_path: Path
) -> None:
    (tmp_path / "once.db").touch()
    said: list[str] = []
    stream = io.StringIO()
    plan = prepare(replace(request_16, count=None, duration="6s", rate="5"))

    path = record(plan, RunLocation(tmp_path, "once"), Display(said.append, stream))

    assert path == tmp_path / "once-2.db"
    assert said[0] == 'the name "once" is taken; this run is "once-2"'
    assert stream.getvalue().startswith("[5 s] ")


@pytest.mark.slow
def test_a_plan_that_no_worker_can_do_leaves_no_file(request_16: Request, tmp_path: Path) -> None:
    plan = replace(prepare(request_16), clients=(Client("unspeakable", groups=(0xFEFE,)),))

    with pytest.raises(UsageError):
        record(plan, RunLocation(tmp_path, "never"), Display(print))
    assert list(tmp_path.iterdir()) == []


PLAN = Plan(Target("lab.test", 443), (Address("127.0.0.1", 443),), (Client("generic"),))


@pytest.mark.parametrize(
    ("plan", "wanted"),
    [
        (PLAN, False),
        (replace(PLAN, load=Load(rate=50.0)), False),
        (replace(PLAN, load=Load(rate=200.0)), True),
        (replace(PLAN, find_limit="failing<1%"), True),
    ],
)
def test_only_a_load_gets_a_canary(plan: Plan, wanted: bool) -> None:
    assert needs_canary(plan) is wanted


def test_without_a_load_nothing_is_started() -> None:
    with canary_for(PLAN, print) as address:
        assert address is None


@pytest.mark.slow
def test_the_canary_lives_as_long_as_the_run() -> None:
    with canary_for(replace(PLAN, load=Load(rate=500.0)), print) as address:
        assert address is not None
        socket.create_connection((address.ip, address.port), timeout=10).close()

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address.ip, address.port), timeout=10)
