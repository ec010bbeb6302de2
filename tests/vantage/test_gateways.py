from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import trio

import stress
from stress.errors import UsageError
from stress.planning.vantages import read_vantage
from stress.vantage.gateways import open_execnet, unfit

THERE = {
    "python": "3.12.4",
    "executable": "/usr/bin/python3",
    "version": stress.__version__,
    "other": "",
}


def silent(_: str) -> None:
    pytest.fail("nothing is to be said")


@pytest.mark.parametrize(
    ("change", "told", "hint"),
    [
        ({"python": "3.9.18"}, "the Python there is 3.9.18 (/usr/bin/python3)", "newer Python"),
        (
            {"version": ""},
            "there is no tls-stress for /usr/bin/python3",
            "pipx install tls-stress==",
        ),
        ({"version": "0.0.1"}, "it has tls-stress 0.0.1, and this is", "pipx install --force"),
    ],
)
def test_what_is_missing_there_is_said_with_what_to_do(
    change: dict[str, str], told: str, hint: str
) -> None:
    refusal = unfit(THERE | change)

    assert refusal is not None
    assert told in refusal.message
    assert hint in str(refusal.hint)


def test_the_same_release_fits() -> None:
    assert unfit(THERE) is None


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("no-such-program-here x", "cannot start no-such-program-here"),
        (
            "sh -c 'echo Host key verification failed. >&2; exit 255'",
            "Host key verification failed.",
        ),
        ("sh -c 'echo welcome; cat >/dev/null'", "no Python answered through sh"),
        ("sh -c 'exit 127'", "It said nothing."),
    ],
)
def test_a_command_that_leads_to_no_python_is_refused_with_what_it_said(
    command: str, said: str
) -> None:
    with pytest.raises(UsageError) as refused:
        open_execnet(read_vantage(f"a=exec:{command}"), silent)

    assert said in f"{refused.value.message}\n{refused.value.hint}"
    assert refused.value.message.startswith("--vantage a: ")


@pytest.mark.slow
def test_any_command_that_runs_what_it_is_given_is_a_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `kubectl exec -i POD --` and `docker exec -i NAME` do."""
    package = str(Path(stress.__file__).parents[1])
    python = f'#!/bin/sh\nPYTHONPATH={package} exec {shlex.quote(sys.executable)} "$@"\n'
    (tmp_path / "python3").write_text(python)
    (tmp_path / "python3").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    command = f"env PATH={tmp_path}:/usr/bin:/bin"

    (gateway,) = open_execnet(read_vantage(f"pod=exec:{command}"), silent)

    assert gateway.name == "pod"
    assert gateway.last_words() == ""
    gateway.close(30.0)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.skipif(find_spec("ensurepip") is None, reason="no ensurepip for a venv")
def test_what_is_missing_is_installed_when_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a network, so the dependencies are those that are here."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python3").symlink_to(Path(sys.base_prefix) / "bin/python3")
    settings = {
        "PATH": f"{tmp_path}/bin:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "PIP_NO_DEPS": "1",
        "PYTHONPATH": str(Path(trio.__file__).parents[1]),
    }
    command = shlex.join(["env", *(f"{name}={value}" for name, value in settings.items())])
    plain = read_vantage(f"box=exec:{command}")
    said: list[str] = []

    with pytest.raises(UsageError, match="there is no tls-stress") as refused:
        open_execnet(plain, silent)
    (gateway,) = open_execnet(replace(plain, deploy=True), said.append)
    gateway.close(30.0)
    (again,) = open_execnet(plain, silent)
    again.close(30.0)

    assert "Add --deploy" in str(refused.value.hint)
    assert said == [f"box: installing tls-stress {stress.__version__} there, for its user alone"]
    assert [path.name for path in (tmp_path / "data/tls-stress").iterdir()] == [stress.__version__]
