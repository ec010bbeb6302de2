"""`run`, with bad words and with good ones. Bad words: message, hint, exit 2, nothing sent."""

import json
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import pytest

BAD_OPTIONS = [
    ("--close", "maybe", "auto, fin, rst"),
    ("--stack", "gnutls", "boringssl, openssl"),
    ("--proxy-protocol", "v3", "v1, v2"),
    ("--count", "many", "whole number"),
    ("--count", "-5", "whole number"),
    ("--rate", "fast", "500/s"),
    ("--duration", "3parsecs", "30s"),
    ("--timeout", "0", "500ms"),
    ("--detect", "0", "0.1%"),
    ("--concurrency", "0", "above 0"),
    ("--processes", "none", "whole number"),
    ("--policy", "nokia", "apple"),
    ("--at", "yesterdayish", "2026-12-01"),
    ("--pin", "secret", "sha256//BASE64"),
    ("--client", "nosuch", "generic"),
    ("--client", "generic=heavy", "generic=3"),
    ("--sni", "a..b", "empty"),
    ("--address", "nonsense", "192.0.2.1:443"),
    ("--addresses", "nosuch.txt", "nosuch.txt"),
    ("--source", "192.0.2.77", "this machine"),
    ("--resolver", "nameless", "address"),
    ("--cert", "nosuch.pem", "nosuch.pem"),
    ("--ca", "nosuch.pem", "--cacert"),
    ("--profile", "nosuch", "smoke"),
    ("--profile", "nosuch.toml", "nosuch.toml"),
    ("--profile", "generic", "--client generic"),
    ("--name", "../outside", "letters"),
    ("--concurrency", "10000000", "ulimit -Hn"),
]

BAD_TARGETS = [
    ("127.0.0.1:0", "from 1 to 65535"),
    ("127.0.0.1:70000", "from 1 to 65535"),
    ("ftp://127.0.0.1", "https://host"),
    ("http://127.0.0.1/", "https://host"),
    ("https://user:password@127.0.0.1/", "password"),
    ("host name", "letters"),
    ("[::1", "brackets"),
    ("", "host:port"),
    ("a" * 64 + ".test", "63"),
]

NEIGHBOURS = [
    (("-k",), "--policy none"),
    (("--insecure",), "--policy none"),
    (("--cacert", "ca.pem"), "--ca"),
    (("-servername", "edge.test"), "--sni"),
    (("--servername=edge.test",), "--sni"),
    (("-connect", "127.0.0.1:443"), "run HOST:PORT"),
    (("--resolve", "edge.test:443:127.0.0.1"), "--address"),
    (("-z", "30s"), "--duration"),
    (("-t", "4"), "--processes"),
]


def assert_explained(answer: Any) -> None:
    """Exit 2, a message and a hint within 100 columns, and nothing else."""
    message, blank, hint = answer.err.partition("\n\n")

    assert answer.code == 2
    assert answer.out == ""
    assert message.startswith("error: ")
    assert blank
    assert hint.strip()
    assert "Traceback" not in answer.err
    assert max(map(len, answer.err.splitlines())) <= 100


@pytest.mark.parametrize(("option", "value", "told"), BAD_OPTIONS)
def test_a_bad_value_is_explained_and_nothing_is_sent(
    option: str, value: str, told: str, ask: Any, listener: Any, tmp_path: Path
) -> None:
    answer = ask("run", listener.target, option, value, "--results", tmp_path / "results")

    assert_explained(answer)
    assert told in " ".join(answer.err.split())
    assert listener.connections() == 0
    assert not list(tmp_path.rglob("*.db"))


@pytest.mark.parametrize(("target", "told"), BAD_TARGETS)
def test_a_malformed_target_is_explained(target: str, told: str, ask: Any) -> None:
    answer = ask("run", target)

    assert_explained(answer)
    assert told in " ".join(answer.err.split())


@pytest.mark.parametrize(("words", "ours"), NEIGHBOURS)
def test_options_of_neighbouring_tools_get_a_hint_with_ours(
    words: tuple[str, ...], ours: str, ask: Any, listener: Any
) -> None:
    answer = ask("run", listener.target, *words)

    assert_explained(answer)
    assert ours in answer.err
    assert listener.connections() == 0


def test_an_unknown_option_names_the_nearest(ask: Any, listener: Any) -> None:
    answer = ask("run", listener.target, "--concurency", "5")

    assert_explained(answer)
    assert "--concurrency" in answer.err
    assert listener.connections() == 0


@pytest.mark.parametrize("words", [("-n", "0"), ("-d", "0s"), ("-n", "0", "-d", "0s")])
def test_nothing_to_send_is_no_run(words: tuple[str, ...], ask: Any, listener: Any) -> None:
    assert_explained(ask("run", listener.target, *words))
    assert listener.connections() == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("concurency = 3\n", ("line 1", "concurency", "concurrency")),
        ('count = 5\n\nrate = "fast"\n', ("line 3", "rate", "500/s")),
        ("count = [\n", ("bad.toml", "TOML")),
    ],
)
def test_a_bad_profile_is_explained_by_file_line_and_key(
    text: str, told: tuple[str, ...], ask: Any, listener: Any, tmp_path: Path
) -> None:
    (tmp_path / "bad.toml").write_text(text)

    answer = ask("run", listener.target, "--profile", tmp_path / "bad.toml")

    assert_explained(answer)
    assert all(word in answer.err.replace("\n", " ") for word in ("bad.toml", *told))
    assert listener.connections() == 0


def test_an_unknown_key_is_told_all_that_are_known(ask: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("cuont = 5")
    told = ask("run", "127.0.0.1:9", "--profile", tmp_path / "bad.toml").err

    assert 'Did you mean "count"?' in told
    assert " ".join(told.split()).endswith("until, vantage, warm-up, weight.")


@pytest.mark.parametrize(("text", "told"), [("", "empty"), ("hello\n", "no PEM certificate")])
def test_anchors_that_are_none_are_a_usage_error_and_never_untrusted_root(
    text: str, told: str, ask: Any, listener: Any, tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_text(text)

    answer = ask("run", listener.target, "--ca", tmp_path / "ca.pem")

    assert_explained(answer)
    assert told in " ".join(answer.err.split())
    assert listener.connections() == 0


@pytest.mark.parametrize("folder", ["missing/parent/results", "file"])
def test_a_results_folder_that_cannot_be_written_stops_the_run_before_it_begins(
    folder: str, ask: Any, listener: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")

    answer = ask("run", listener.target, "--results", tmp_path / folder)

    assert_explained(answer)
    assert listener.connections() == 0


@pytest.fixture
def nameserver() -> Iterator[str]:
    """Knows no name at all."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=_deny, args=(server,))
        thread.start()
        yield "{}:{}".format(*server.getsockname())
        server.sendto(b"", server.getsockname())
        thread.join()


def _deny(server: socket.socket) -> None:
    while True:
        data, asker = server.recvfrom(512)
        if not data:
            return
        answer = dns.message.make_response(dns.message.from_wire(data))
        answer.set_rcode(dns.rcode.NXDOMAIN)
        answer.flags |= dns.flags.RA
        server.sendto(answer.to_wire(), asker)


def test_a_name_that_does_not_resolve_is_explained(nameserver: str, ask: Any) -> None:
    answer = ask("run", "nowhere.test", "--resolver", nameserver)

    assert_explained(answer)
    assert "nowhere.test does not resolve" in answer.err
    assert "--address" in answer.err


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("unshare") is None, reason="no network namespaces here")
@pytest.mark.parametrize("load", [("-n", "1001"), ("--rate", "51", "-n", "1000"), ("-d", "1h")])
def test_a_public_target_needs_consent_beyond_a_visitors_means(
    load: tuple[str, ...], spawn: Any, tmp_path: Path
) -> None:
    process = spawn("run", "93.184.216.34", *load, prefix=("unshare", "-rn"))
    out, err = process.communicate(timeout=30)
    if err.startswith("unshare:"):
        pytest.skip("no network namespace may be made here")

    assert process.returncode == 2
    assert out == ""
    assert "need consent" in err
    assert "visitor" in err
    assert 'authorized = ["93.184.216.34"]' in err
    assert not list(tmp_path.rglob("*.db"))


@pytest.mark.slow
def test_a_run_prints_the_report_and_exits_1_when_something_failed(
    ask: Any, farm_words: tuple[str, ...], tmp_path: Path
) -> None:
    answer = ask("run", *farm_words, "-n", "80", "--processes", "1", "--results", tmp_path)

    assert answer.code == 1
    assert answer.out.startswith("failing     10 of 80 handshakes")
    assert f"run file: {tmp_path}" in answer.err
    assert len(list(tmp_path.glob("*.db"))) == 1


@pytest.mark.slow
def test_with_json_stdout_is_exactly_one_document(
    ask: Any, farm_words: tuple[str, ...], tmp_path: Path
) -> None:
    words = ("-n", "80", "--processes", "1", "--json", "--name", "once", "--results", tmp_path)
    answer = ask("run", *farm_words, *words)

    summary = json.loads(answer.out)
    assert answer.code == 1
    assert summary["schema"] == "tls-stress/summary/1"
    assert summary["failures"]["categories"] == {"incomplete-chain": 10}
    assert Path(summary["run"]["file"]) == tmp_path / "once.db"


@pytest.mark.slow
def test_a_target_that_is_down_is_refused_every_time(
    ask: Any, listener: Any, tmp_path: Path
) -> None:
    listener.close()

    load = ("-n", "20", "--processes", "1")
    answer = ask("run", listener.target, *load, "--json", "--results", tmp_path)

    summary = json.loads(answer.out)
    assert answer.code == 1
    assert summary["attempts"] == 20
    assert summary["failures"]["categories"] == {"refused": 20}


@pytest.mark.slow
def test_a_taken_name_is_never_overwritten(ask: Any, listener: Any, tmp_path: Path) -> None:
    listener.close()
    load = ("-n", "2", "--processes", "1")
    words = ("run", listener.target, *load, "-q", "--name", "twice", "--results", tmp_path)

    first, second = ask(*words), ask(*words)

    assert first.code == second.code == 1
    assert {path.name for path in tmp_path.iterdir()} == {"twice.db", "twice-2.db"}
    assert 'the name "twice" is taken' in second.err
    assert "is taken" not in ask(*words[:-4], "--name", "new.db", *words[-2:]).err


@pytest.mark.slow
def test_a_profiles_name_and_folder_hold_until_the_command_line_says_otherwise(
    ask: Any, listener: Any, tmp_path: Path
) -> None:
    listener.close()
    profile = tmp_path / "mine.toml"
    profile.write_text('count = 2\nprocesses = 1\nname = "nightly"\nresults = "kept"\n')

    by_profile = ask("run", listener.target, "--profile", profile, "-q")
    by_option = ask("run", listener.target, "--profile", profile, "-q", "--name", "other")

    assert by_profile.code == by_option.code == 1
    assert {path.name for path in (tmp_path / "kept").iterdir()} == {"nightly.db", "other.db"}


@pytest.mark.slow
def test_a_profile_says_also_how_to_be_told(
    ask: Any, listener: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each option of `run` is a profile key; its files lie beside it, and the options win."""
    listener.close()
    monkeypatch.chdir(tmp_path)
    profile = tmp_path / "far" / "ci.toml"
    profile.parent.mkdir()
    keys = 'json = true\nhtml = "page.html"\njunit = "tls.xml"\n'
    profile.write_text(f"count = 2\nprocesses = 1\n{keys}")

    told = ask("run", listener.target, "--profile", profile, "--junit", "mine.xml")
    profile.write_text("count = 2\nprocesses = 1\nquiet = true\n")
    silent = ask("run", listener.target, "--profile", profile)

    assert json.loads(told.out)["verdict"] == "failing"
    assert sorted(path.name for path in profile.parent.iterdir()) == ["ci.toml", "page.html"]
    assert (tmp_path / "mine.xml").exists()
    assert (silent.code, silent.out) == (1, "")


def test_what_a_profile_says_of_output_is_checked_before_the_run(
    ask: Any, listener: Any, tmp_path: Path
) -> None:
    profile = tmp_path / "ci.toml"
    profile.write_text('count = 2\nhtml = "nowhere/page.html"\n')
    answer = ask("run", listener.target, "--profile", profile, "--results", tmp_path)

    assert answer.code == 2
    assert "there is no directory" in " ".join(answer.err.split())
    assert listener.connections() == 0
