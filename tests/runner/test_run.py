from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from stress.errors import UsageError
from stress.model.plan import Client
from stress.model.summary import Answer
from stress.planning.profile import filled
from stress.planning.request import Request
from stress.runner.observers import Display
from stress.runner.rejudge import AS_RECORDED
from stress.runner.run import RESULTS, RunLocation, prepare, record
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
