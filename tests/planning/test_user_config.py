from __future__ import annotations

import re
from pathlib import Path

import pytest

from stress.errors import UsageError
from stress.planning.profile import LoadProfile, consents
from stress.planning.request import Request
from stress.planning.user_config import (
    AUTHORIZED_VARIABLE,
    NO_COLOR_VARIABLE,
    PROFILE_VARIABLE,
    RESULTS_VARIABLE,
    UserConfig,
    config_file,
    user_config,
)

FULL = """
results = "runs"
profile = "mine.toml"
no-color = true
authorized = ["edge.test", "192.0.2.1"]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in (AUTHORIZED_VARIABLE, NO_COLOR_VARIABLE, PROFILE_VARIABLE, RESULTS_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "tls-stress").mkdir()
    return tmp_path / "tls-stress"


def test_without_a_file_and_variables_nothing_is_set() -> None:
    assert user_config() == UserConfig()
    assert user_config().defaults() == {}


def test_paths_in_the_file_are_relative_to_it(folder: Path) -> None:
    config_file().write_text(FULL)

    config = user_config()

    assert config.defaults() == {
        "results": str(folder / "runs"),
        "profile": str(folder / "mine.toml"),
    }
    assert config.no_color
    assert config.authorized["edge.test"] == f'authorized = ["edge.test"] in {config_file()}'


def test_a_variable_wins(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    config_file().write_text(FULL)
    monkeypatch.setenv(RESULTS_VARIABLE, "/srv/runs")
    monkeypatch.setenv(PROFILE_VARIABLE, "smoke")

    assert user_config().defaults() == {"results": "/srv/runs", "profile": "smoke"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('\nresult = "x"', "line 2: result: unknown key.*results"),
        ("results = 3", "line 1: results: "),
        ('authorized = ["*.test"]', "line 1: authorized: "),
        ("results = ", "config.toml: is not valid TOML"),
    ],
)
def test_a_wrong_setting_is_told_with_its_line(text: str, told: str) -> None:
    config_file().write_text(text)

    with pytest.raises(UsageError) as caught:
        user_config()
    assert re.search(told, f"{caught.value.message} {caught.value.hint}")


def test_a_file_of_hosts_authorizes_exact_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("# ours\nedge.test  # since May\n\n")
    monkeypatch.setenv(AUTHORIZED_VARIABLE, str(hosts))

    standing = user_config().authorized

    assert standing == {"edge.test": f"{AUTHORIZED_VARIABLE}: {hosts}, line 2"}
    assert consents(Request(), None, "edge.test", standing) == tuple(standing.values())
    assert consents(Request(), None, "www.edge.test", standing) == ()


@pytest.mark.parametrize(
    ("content", "told"), [(b"not a host!\n", "line 1"), (b"\xff\n", "is not text"), (None, "read")]
)
def test_a_file_of_hosts_that_is_wrong_is_told(
    content: bytes | None, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = tmp_path / "hosts"
    if content is not None:
        hosts.write_bytes(content)
    monkeypatch.setenv(AUTHORIZED_VARIABLE, str(hosts))

    with pytest.raises(UsageError, match=told):
        user_config()


def test_addresses_that_a_strangers_profile_names_are_not_covered(tmp_path: Path) -> None:
    named = Request(addresses_inline=("198.51.100.7",))
    profile = LoadProfile("theirs", "", tmp_path / "theirs.toml", named)

    assert consents(Request(), profile, "edge.test", {"edge.test": "agreed"}) == ()
