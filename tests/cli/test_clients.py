from pathlib import Path
from typing import Any

import pytest

from stress.clients.profiles import clients, load_client
from stress.model.plan import Stack
from tests.planning.packets import hello, pcap, spoken


def test_alone_and_by_list_it_tells_every_client_in_a_line(ask: Any) -> None:
    answer = ask("clients")

    assert answer == ask("clients", "list")
    assert {line.split()[0] for line in answer.out.splitlines()} == set(clients())


@pytest.mark.parametrize("stack", ["boringssl", "openssl"])
def test_a_client_is_shown_as_the_stack_really_speaks_it(stack: str, ask: Any) -> None:
    answer = ask("clients", "show", "generic", "--stack", stack)

    assert answer.code == 0
    assert f"stack                   {stack}\n" in answer.out
    assert "JA4                     t13d" in answer.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nosuch"], "generic"),
        (["ios-urlsesion"], 'Did you mean "ios-urlsession"?'),
        (["java-17", "--stack", "boringssl"], "--stack openssl"),
        (["generic", "--stack", "gnutls"], "boringssl"),
        (["nosuch.toml"], "nosuch.toml"),
    ],
)
def test_what_cannot_be_shown_is_explained(words: list[str], told: str, ask: Any) -> None:
    answer = ask("clients", "show", *words)

    assert answer.code == 2
    assert told in answer.err


@pytest.mark.boringssl
def test_without_a_stack_the_one_that_can_speak_it_does(ask: Any) -> None:
    assert "stack                   openssl\n" in ask("clients", "show", "java-17").out
    assert "stack                   boringssl\n" in ask("clients", "show", "chrome").out


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """A capture of one connection of an app that speaks as Java does, and of one of another."""
    java = hello("app.lab.test", clients()["java-17"])
    file = tmp_path / "trace.pcap"
    file.write_bytes(pcap(spoken([(0, java)], 10) + spoken([(0, hello("b.test"))], 9_000)))
    return file


def test_a_trace_becomes_a_profile_that_is_shown_like_any_other(
    trace: Path, tmp_path: Path, ask: Any
) -> None:
    made = tmp_path / "mine.toml"
    answer = ask("clients", "import", trace, "--sni", "app.lab.test", "--out", made)

    assert answer.code == 0
    assert "lost with openssl:\n- " in answer.out
    assert f"use it: tls-stress run HOST --client {made}\n" in answer.out
    assert load_client(str(made)).stack is Stack.OPENSSL
    assert load_client(str(made)).groups == clients()["java-17"].groups
    assert "JA4                     t13d" in ask("clients", "show", made).out


def test_a_profile_can_go_to_standard_output(trace: Path, ask: Any) -> None:
    answer = ask("clients", "import", trace, "--sni", "b.test", "--name", "b", "--out", "-")

    assert answer.out.splitlines()[1].startswith("# Imported by tls-stress from trace.pcap")
    assert '\nname = "b"\n' in answer.out


def test_no_file_is_overwritten(trace: Path, tmp_path: Path, ask: Any) -> None:
    made = tmp_path / "mine.toml"
    made.write_text("precious")
    answer = ask("clients", "import", trace, "--sni", "b.test", "--out", made)

    assert answer.code == 2
    assert "exists" in answer.err
    assert made.read_text() == "precious"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "2 hosts: app.lab.test, b.test"),
        (["--sni", "c.test"], "c.test"),
        (["--sni", "b.test", "--name", "a/b"], "--name"),
        (["--sni", "b.test", "--stack", "gnutls"], "boringssl"),
        (["--sni", "b.test", "--out", "/nowhere/at/all.toml"], "cannot be written"),
    ],
)
def test_what_cannot_be_imported_is_explained(
    options: list[str], told: str, trace: Path, ask: Any
) -> None:
    answer = ask("clients", "import", trace, *options)

    assert answer.code == 2
    assert told in answer.err


def test_a_profile_is_found_by_path_wherever_a_name_is(
    trace: Path, tmp_path: Path, ask: Any
) -> None:
    made = tmp_path / "mine.toml"
    ask("clients", "import", trace, "--sni", "b.test", "--out", made)
    answer = ask("run", "localhost", "--client", f"{made}=2", "--client", made)

    assert answer.code == 2
    assert 'the client "trace" is given twice' in answer.err
