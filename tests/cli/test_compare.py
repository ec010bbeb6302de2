import json
from pathlib import Path
from typing import Any

import pytest

from stress.cli.main import main


@pytest.fixture(scope="module")
def expired(farm_words: tuple[str, ...], tmp_path_factory: Any) -> Path:
    """The same farm as it will be judged when its certificate has expired."""
    folder: Path = tmp_path_factory.mktemp("later")
    words = ("-n", "160", "--processes", "1", "-q", "--at", "+100d")
    assert main(["run", *farm_words, *words, "--results", str(folder), "--name", "later"]) == 1
    return folder / "later.db"


@pytest.mark.slow
def test_what_became_worse_exits_1_and_what_became_better_0(
    ask: Any, run_file: Path, expired: Path
) -> None:
    worse, better = ask("compare", run_file, expired), ask("compare", expired, run_file)

    assert (worse.code, better.code) == (1, 0)
    assert worse.out.startswith("worse")
    assert "160 of 160" in worse.out
    assert better.out.startswith("better")
    assert "an unchanged failure rate is ruled out" in " ".join(better.out.split())


@pytest.mark.slow
def test_names_and_json_do_as_well(ask: Any, run_file: Path, expired: Path) -> None:
    answer = ask("compare", "once", expired, "--results", run_file.parent, "--json")

    assert answer.code == 1
    assert json.loads(answer.out)["change"] == "worse"


@pytest.mark.slow
def test_too_few_handshakes_cannot_tell(
    ask: Any, farm_words: tuple[str, ...], run_file: Path, tmp_path: Path
) -> None:
    words = ("-n", "7", "--processes", "1", "-q", "--results", tmp_path, "--name", "few")
    ask("run", *farm_words, *words)
    answer = ask("compare", run_file, tmp_path / "few.db")

    assert answer.code in {3, 4}
    assert "annot tell" in answer.out or "duration differs" in answer.out


@pytest.mark.slow
def test_a_run_is_not_compared_with_itself(ask: Any, run_file: Path) -> None:
    answer = ask("compare", run_file, run_file)

    assert answer.code == 4
    assert "both are the same run" in answer.out


@pytest.mark.parametrize("words", [(), ("once",), ("nosuch", "nosuch"), ("a", "b", "c")])
def test_what_is_missing_is_told(words: tuple[str, ...], ask: Any, tmp_path: Path) -> None:
    answer = ask("compare", *words, "--results", tmp_path)

    assert answer.code == 2
    assert answer.err.startswith("error: ")
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("part", ["much", "-1%", "nan", "inf"])
def test_a_tolerance_is_a_part(ask: Any, part: str) -> None:
    answer = ask("compare", "one", "two", f"--tolerance={part}")

    assert answer.code == 2
    assert "write 10% or 0.1" in answer.err
