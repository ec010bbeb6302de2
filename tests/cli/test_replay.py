import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stress.lab.farm import Farm, start
from stress.store import open_run


@pytest.fixture(scope="module")
def hashing() -> Iterator[Farm]:
    """A balancer that sends one local port always to the same node."""
    with start("source-port-hash") as farm:
        yield farm


@pytest.mark.long
@pytest.mark.slow
def test_a_failure_that_follows_the_port_is_found_to_follow_it(
    ask: Any, hashing: Farm, tmp_path: Path
) -> None:
    address = hashing.addresses[0]
    where = ("--address", address, "--ca", hashing.ca_file, "--results", tmp_path)
    ask("run", f"{hashing.host}:{address.port}", *where, "-n", "150", "--name", "odd", "-q")
    answer = ask("replay", "odd", "--tries", "2", "--gap", "0.1s", "--results", tmp_path, "--json")
    report = ask("report", "odd-replay", "--results", tmp_path)

    document = json.loads(answer.out)
    assert answer.code == 1
    assert document["answer"] == "follows"
    with open_run(tmp_path / "odd.db") as recorded:
        failed = {record.local_port for record in recorded.failures(1_000)}
    again = {one["local_port"] for one in document["combinations"] if one["failures"]}
    assert again <= failed
    assert again
    assert "a replay of odd" in " ".join(report.out.split())


@pytest.mark.slow
def test_a_target_that_is_gone_says_nothing_about_the_failure(
    ask: Any, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ca_copy = tmp_path_factory.mktemp("ca") / "ca.pem"
    with start("round-robin-1-of-8") as farm:
        address = farm.addresses[0]
        ca_copy.write_bytes(farm.ca_file.read_bytes())
        where = ("--address", address, "--ca", ca_copy, "--results", tmp_path)
        ask("run", f"{farm.host}:{address.port}", *where, "-n", "40", "--name", "was", "-q")
    answer = ask("replay", "was", "--gap", "0s", "--tries", "1", "--results", tmp_path)

    assert answer.code == 3
    assert "now fails differently" in answer.out
    assert "refused" in answer.out


@pytest.mark.slow
def test_a_run_without_failures_has_nothing_to_replay(
    ask: Any, farm_words: tuple[str, ...], tmp_path: Path
) -> None:
    words = ("-n", "3", "--policy", "none", "--name", "good", "-q", "--results", tmp_path)
    ask("run", *farm_words, *words)
    answer = ask("replay", "good", "--results", tmp_path)

    assert answer.code == 2
    assert "no failure to replay" in answer.err
    assert "`tls-stress report` prints the commands that test again" in answer.err
    assert not (tmp_path / "good-replay.db").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--cause", "9"), "no cause 9"),
        (("--tries", "0"), "--tries"),
        (("--gap", "soon"), "--gap"),
    ],
)
@pytest.mark.slow
def test_bad_words_are_explained(
    words: tuple[str, ...], told: str, ask: Any, run_file: Path
) -> None:
    answer = ask("replay", run_file, *words)

    assert answer.code == 2
    assert told in answer.err


def test_a_run_that_is_not_there_is_explained(ask: Any, tmp_path: Path) -> None:
    assert ask("replay", "nosuch", "--results", tmp_path).code == 2
