"""A fault that depends on who asks shows in the right client's column, and in no other.

Each farm is asked by several clients in the same minutes, as a user would; the failures are counted
by client from the run file, and the cause is read from the report.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stress.lab.farm import start

pytestmark = pytest.mark.slow

ATTEMPTS = 240


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run found."""

    summary: dict[str, Any]
    endings: Mapping[str, Counter[str]]
    """Client -> outcomes."""

    def told(self, dimension: str) -> set[str]:
        """The values in which the causes are told, their other names included."""
        conditions = [
            condition
            for cause in self.summary["causes"]
            if cause["kind"] == "failure"
            for each in (cause["conditions"], *cause["aliases"])
            for condition in each
        ]
        return {each["value"] for each in conditions if each["dimension"] == dimension}


def run_against(scenario: str, clients: list[str], ask: Any, folder: Path) -> Seen:
    with start(scenario) as farm:
        words: list[object] = ["run", f"{farm.host}:{farm.addresses[0].port}", "--json", "-q"]
        words += ["--ca", farm.ca_file, "-n", ATTEMPTS, "-c", 16, "--processes", 1]
        words += ["--results", folder, "--name", scenario, "--seed", 7]
        for address in farm.addresses:
            words += ["--address", address]
        for client in clients:
            words += ["--client", client]
        answer = ask(*words)
    assert answer.code == 1, answer.err
    with sqlite3.connect(folder / f"{scenario}.db") as database:
        rows = database.execute("SELECT client, outcome, count(*) FROM handshake GROUP BY 1, 2")
        endings: dict[str, Counter[str]] = {client: Counter() for client in clients}
        for client, outcome, count in rows:
            endings[client][outcome] = count
    database.close()
    return Seen(json.loads(answer.out), endings)


@pytest.mark.parametrize(
    ("scenario", "category", "meet", "spared", "told"),
    [
        ("ecdsa-only", "incomplete-chain", ["generic"], ["rsa-only"], None),
        ("ecdsa-only", "incomplete-chain", ["ios-urlsession"], ["rsa-only"], None),
        ("no-sni-default", "hostname-mismatch", ["no-sni"], ["generic", "ios-urlsession"], None),
        ("mlkem-chain", "incomplete-chain", ["mlkem"], ["no-mlkem", "ios-urlsession"], None),
        (
            "mlkem-chain",
            "incomplete-chain",
            ["mlkem", "generic"],
            ["no-mlkem", "ios-urlsession"],
            ("key_group", "X25519MLKEM768"),
        ),
        ("mlkem-splits", "reset", ["mlkem"], ["no-mlkem", "ios-urlsession"], None),
    ],
)
def test_only_who_meets_the_fault_fails_and_the_cause_says_who(
    scenario: str,
    category: str,
    meet: list[str],
    spared: list[str],
    told: tuple[str, str] | None,
    ask: Any,
    tmp_path: Path,
) -> None:
    """The cause names the client, or what all failing clients have in common and no other."""
    seen = run_against(scenario, [*meet, *spared], ask, tmp_path)
    dimension, value = told or ("client", meet[0])

    assert [set(seen.endings[client]) for client in meet] == [{category}] * len(meet)
    assert [set(seen.endings[client]) for client in spared] == [{"ok"}] * len(spared)
    assert sum(map(Counter.total, seen.endings.values())) == ATTEMPTS
    assert seen.summary["failures"]["categories"].keys() == {category}
    assert seen.told(dimension) == {value}
    assert seen.told("client") <= set(meet)


def test_tls12_alone_at_one_address_is_told_by_version_client_and_address(
    ask: Any, tmp_path: Path
) -> None:
    spared = ["generic", "tls13-only", "ios-urlsession"]
    seen = run_against("bad-only-tls12", ["tls12-only", *spared], ask, tmp_path)

    assert set(seen.endings["tls12-only"]) == {"ok", "incomplete-chain"}
    assert [set(seen.endings[client]) for client in spared] == [{"ok"}] * len(spared)
    assert seen.told("client") == {"tls12-only"}
    assert seen.told("tls_version") == {"TLS 1.2"}
    assert len(seen.told("address")) == 1
    (cause,) = [each for each in seen.summary["causes"] if each["kind"] == "failure"]
    assert (cause["precision"], cause["recall"]) == (1.0, 1.0)
