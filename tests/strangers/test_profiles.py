"""A stranger's load profile sets options of a run: it reaches no file elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.strangers.doors import MOST_SECONDS, visit, wrongs
from tests.strangers.profiles import profiles

NAMES = sorted(profiles(Path("/somewhere/folder")))
TARGET = "127.0.0.1:1"
"""Nothing listens there."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the profile lies, with what it may try to read or to replace."""
    made, outside = tmp_path / "in", tmp_path / "outside"
    made.mkdir()
    outside.mkdir()
    (outside / "nodes.txt").write_text("127.0.0.1:1\n")
    (made / "link").symlink_to(outside)
    (made / "linked.md").symlink_to(made / "victim.txt")
    (made / "victim.txt").write_text("precious")
    os.mkfifo(made / "pipe")
    os.mkfifo(made / "pipe.toml")
    with (made / "large").open("wb") as large:
        large.truncate(5_000_000_000)
    return made


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_profile_does_no_harm(name: str, folder: Path) -> None:
    data = profiles(folder)[name]
    (folder / "p.toml").write_bytes(data)

    run = ["run", TARGET, "--profile", folder / "p.toml", "-n", "3", "--processes", "1"]
    visits = visit([run, ["profiles", "show", folder / "p.toml"]], folder)

    # The run itself starts workers, and looks up its own address, which sends nothing (UDP).
    own = ("subprocess.Popen", "socket.connect (<socket.socket fd=4, family=2, type=2,")
    assert [each for each in wrongs(visits, [folder]) if not any(o in each for o in own)] == []
    assert (folder / "victim.txt").read_text() == "precious"
    assert (folder / "p.toml").read_bytes() == data
    assert [path.name for path in (folder.parent / "outside").iterdir()] == ["nodes.txt"]
    assert all(one.seconds < MOST_SECONDS for one in visits.visits)


@pytest.mark.long
@pytest.mark.slow
def test_reports_of_ours_below_the_profile_are_replaced(folder: Path) -> None:
    names = {"html": "page.html", "junit": "tests.xml", "openmetrics": "x.prom", "markdown": "x.md"}
    text = "".join(f'{option} = "{name}"\n' for option, name in names.items())
    (folder / "p.toml").write_text(text)
    run = ["run", TARGET, "--profile", folder / "p.toml", "-n", "3", "--processes", "1", "-q"]

    visits = visit([run, run], folder)

    assert [one.code for one in visits.visits] == [1, 1], visits.visits[1].err
    modes = {name: (folder / file).stat().st_mode & 0o777 for name, file in names.items()}
    umask = os.umask(0o077)
    os.umask(umask)
    assert modes == dict.fromkeys(names, 0o666 & ~umask) | {"html": 0o600}
    assert not list(folder.glob(".*"))


@pytest.mark.slow
def test_a_profile_chooses_neither_who_answers_nor_who_is_loaded(folder: Path) -> None:
    """Not even with consent on the command line, which is for the target that stands there."""
    ways = {
        'resolver = "192.0.2.53"': "whoever answers decides where we connect",
        'address = ["192.168.7.7:22"]': "only the profile names 192.168.7.7:22",
        'addresses = "nodes.txt"': "only the profile names 10.11.12.13:443",
    }
    (folder / "nodes.txt").write_text("10.11.12.13\n")
    commands = []
    for number, text in enumerate(ways):
        (folder / f"{number}.toml").write_text(f"{text}\ncount = 50_000\n")
        commands.append(["run", "a.example", "--profile", folder / f"{number}.toml"])
    visits = visit([[*each, "--i-am-authorized"] for each in commands], folder).visits

    for one, said in zip(visits, ways.values(), strict=True):
        assert one.code == 2
        assert said in " ".join(one.err.split())
        assert not [event for event, _ in one.events if event.startswith("socket.")]
    assert not (folder / "results").exists()


@pytest.mark.slow
def test_the_users_own_profile_may_write_and_read_anywhere(folder: Path) -> None:
    own = folder / "config" / "tls-stress" / "mine.toml"  # as `visit` sets XDG_CONFIG_HOME
    own.parent.mkdir(parents=True)
    outside = folder.parent / "outside"
    own.write_text(f'markdown = "{outside}/sum.md"\naddresses = "{outside}/nodes.txt"\n')
    run = ["run", TARGET, "--profile", own, "-n", "3", "--processes", "1", "-q"]

    visits = visit([run], folder)

    assert visits.visits[0].code == 1, visits.visits[0].err
    assert (outside / "sum.md").read_text().startswith("## ")
