from pathlib import Path

import pytest

from stress.cli.output import Output, output_of
from stress.cli.recording import RESULTS, Place, place_of, prepare, record, tell
from stress.errors import RunFileError
from stress.model.summary import Answer
from stress.planning.request import Request

QUIET = output_of(json=False, quiet=True)


def test_the_place_is_the_command_lines_then_the_profiles_then_the_default(
    tmp_path: Path,
) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text('name = "nightly"\nresults = "kept"\n')
    request = Request(profile=str(profile))

    assert place_of(Request(), None, None) == Place(RESULTS, None)
    assert place_of(request, None, None) == Place(tmp_path / "kept", "nightly")
    assert place_of(request, Path("here"), "now") == Place(Path("here"), "now")


@pytest.mark.slow
def test_a_recorded_run_can_be_told_again_and_again(
    farm_words: tuple[str, ...], tmp_path: Path
) -> None:
    target, _, address, _, ca = farm_words
    request = Request(targets=(target,), addresses_inline=(address,), ca=ca, count=16, processes=1)
    path = record(prepare(request), Place(tmp_path, "once"), QUIET)

    first, second = tell(path, QUIET), tell(path, QUIET)

    assert path == tmp_path / "once.db"
    assert first == second
    assert first.verdict is Answer.FAILING
    assert first.failures.categories == {"incomplete-chain": 2}
    assert "127.0.0.1" in first.run.host


def test_telling_needs_a_run_file(tmp_path: Path) -> None:
    with pytest.raises(RunFileError):
        tell(tmp_path / "nothing.db", Output(None, quiet=True))
