from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

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
