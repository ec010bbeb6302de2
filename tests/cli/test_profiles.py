from pathlib import Path
from typing import Any

from stress.planning.profile import load_profile

SHIPPED = ["capacity", "consistency", "smoke", "soak"]


def test_alone_and_by_list_it_tells_every_profile_in_a_line(ask: Any) -> None:
    answer = ask("profiles")

    assert answer == ask("profiles", "list")
    assert sorted(line.split()[0] for line in answer.out.splitlines()) == SHIPPED


def test_a_profile_is_shown_as_it_is_written_so_that_it_can_be_copied(
    ask: Any, tmp_path: Path
) -> None:
    answer = ask("profiles", "show", "smoke")
    copy = tmp_path / "mine.toml"
    copy.write_text(answer.out)

    assert answer.code == 0
    assert load_profile(str(copy)).options == load_profile("smoke").options


def test_an_unknown_profile_names_the_nearest(ask: Any) -> None:
    answer = ask("profiles", "show", "smok")

    assert answer.code == 2
    assert "smoke" in answer.err
