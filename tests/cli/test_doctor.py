from typing import Any

import pytest

from stress.engine.preflight import FILES_ASIDE
from stress.planning.load import FILES_BESIDE


def test_it_tells_each_limit_and_what_follows_from_it(ask: Any) -> None:
    answer = ask("doctor")

    for fact in (
        "open files",
        "local ports",
        "cores",
        "load average",
        "scheduler delay",
        "memory",
        "time stamps",
        "pyOpenSSL",
    ):
        assert f"\n{fact} " in f"\n{answer.out}"
    assert answer.code in (0, 4)
    assert "handshakes a second" in answer.out
    assert max(map(len, answer.out.splitlines())) <= 100


def test_the_doctor_reckons_with_the_files_that_a_run_needs() -> None:
    """Else it would allow what planning refuses."""
    assert FILES_ASIDE == FILES_BESIDE


def test_a_target_is_looked_up_and_not_dialled(ask: Any, listener: Any) -> None:
    answer = ask("doctor", listener.target)

    assert f"route to             {listener.target}  ok\n" in answer.out
    assert listener.connections() == 0


def test_a_port_that_implies_starttls_is_named(ask: Any) -> None:
    answer = ask("doctor", "127.0.0.1:587")

    assert "STARTTLS             smtp" in answer.out
    assert "port 587 implies it" in answer.out
    assert max(map(len, answer.out.splitlines())) <= 100


def test_a_proxy_is_asked_for_the_name_and_only_its_own_route_is_checked(ask: Any) -> None:
    answer = ask("doctor", "nowhere.invalid", "--proxy", "http://127.0.0.1:3128")

    assert answer.code == 0
    assert "route to             127.0.0.1:3128 (http://127.0.0.1:3128)  ok" in answer.out
    assert "nowhere" not in answer.out


def test_a_proxy_in_the_environment_is_said_not_to_be_used(
    ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://jane:s3cret@hop.example.com:3128")

    answer = ask("doctor")

    assert "HTTPS_PROXY (hop.example.com:3128) is not used" in answer.out
    assert "s3cret" not in answer.out


@pytest.mark.parametrize("target", ["127.0.0.1:70000", "ftp://127.0.0.1", ""])
def test_a_malformed_target_is_explained_before_anything_is_told(target: str, ask: Any) -> None:
    answer = ask("doctor", target)

    assert answer.code == 2
    assert answer.out == ""


@pytest.mark.slow
def test_a_machine_with_too_few_files_cannot_do_it(spawn: Any) -> None:
    process = spawn("doctor", prefix=("sh", "-c", 'ulimit -n 100; exec "$@"', "sh"))
    out, _ = process.communicate(timeout=30)

    assert process.returncode == 4
    assert "NOT ENOUGH: 0 in flight in each process" in out
