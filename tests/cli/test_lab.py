import shlex
import signal
from typing import Any

import pytest

from stress.cli.options import parse
from stress.lab.farm import Farm
from stress.lab.scenarios import scenarios


def test_alone_and_by_list_it_tells_every_scenario(ask: Any) -> None:
    answer = ask("lab")
    lines = answer.out.splitlines()
    told = " ".join(answer.out.split())

    assert answer == ask("lab", "list")
    assert [line.split()[0] for line in lines if line[0] != " "] == list(scenarios())
    assert all(f"{name} {each.title}" in told for name, each in scenarios().items())
    assert max(map(len, lines)) <= 100


def test_an_unknown_scenario_is_explained(ask: Any) -> None:
    answer = ask("lab", "up", "missing-intermediat")

    assert answer.code == 2
    assert "missing-intermediate" in answer.err


def test_the_words_for_a_farm_are_words_that_run_understands(farm: Farm) -> None:
    request = parse(farm.run_words)

    assert request.targets == (f"{farm.host}:{farm.addresses[0].port}",)
    assert request.addresses_inline == tuple(str(address) for address in farm.addresses)
    assert request.ca == str(farm.ca_file)
    assert request.count == str(farm.scenario.count)
    assert request.clients == farm.scenario.clients


@pytest.mark.slow
def test_a_farm_stays_up_until_it_is_told_to_end(spawn: Any) -> None:
    process = spawn("lab", "up", "round-robin-1-of-8")
    lines = [process.stdout.readline() for _ in range(7)]
    words = shlex.split(lines[-1])
    run = spawn(*words[1:], "-n", "16", "--processes", "1", "--json")
    run.communicate(timeout=60)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)

    assert [line.split(" ")[0] for line in lines[:4]] == ["scenario", "planted", "address", "name"]
    assert words[:2] == ["tls-stress", "run"]
    assert run.returncode == 1
    assert process.returncode == 0
