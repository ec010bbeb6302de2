"""Is the one bad server behind a balancer named right? Twenty farms each: `make backends`.

A real HAProxy in TCP mode before twelve real nginx, of which `node-12` sends the leaf alone. Every
farm is started anew, so its ticket keys are new ones. HAProxy's own log is the truth: it has a line
with client port and node for each connection. What the report says is compared with it:

* by ticket name: the headline has the name of one key, and only `node-12` was met with it
* by header: the headline names `node-12`
* by log: the headline names it, and every row of the joined run agrees with the log
* by the matrix, with tickets off: all failures come from one group; the connections that failed
  all went to `node-12`, and no session was accepted by another node than that which gave it
* with one key for all: nobody is named, it is said why, and a header and the log are proposed
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import describe
from stress.cli.main import main as tls_stress
from stress.store import open_run
from tests.servers.certificates import HOST, Certificates
from tests.servers.haproxy import Backend, Haproxy
from tests.servers.nginx import Nginx, Node

PAGE = Path(__file__).resolve().parent.parent / "docs" / "backends.md"
TIMES = 20
SERVERS = 12
COUNT = 600
BAD = f"node-{SERVERS}"
_LINE = re.compile(r":(\d+) \[[^]]+\] \S+ nodes/(\S+) ")
_KEY = re.compile(r"came from the backend with (ticket key \w+)")
_HEAD = """\
# Which server it is

Made by `make backends`, {when} on {machine}: HAProxy in TCP mode (round robin) before {servers}
nginx, one of which sends the leaf alone. Each line is of {times} farms, started anew, with
{count} handshakes each. "Right" is compared with HAProxy's log (`benchmarks/backends.py` says how);
"counted" means that the interval for the number of servers holds {servers}.

| by | nginx | options | right | counted | the first farm's report |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one run said, and whether it was right."""

    right: bool
    counted: bool | None
    """Whether the interval holds the number of servers; None: no number was said."""
    said: str


@dataclass(frozen=True, slots=True)
class Farm:
    """A running farm, and what is needed to run against it."""

    haproxy: Haproxy
    folder: Path
    certificates: Certificates

    def run(self, *options: str) -> Mapping[str, Any]:
        """Run against it; returns the summary."""
        target = ("run", f"127.0.0.1:{self.haproxy.port}", "--sni", HOST, "--processes", "1")
        trusted = ("--ca", str(self.certificates.root), "-n", str(COUNT), "-c", "16")
        return self.command(*target, *trusted, "--name", "farm", *options)

    def command(self, *words: str) -> Mapping[str, Any]:
        """Run a command of ours in this process; returns its JSON document."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            tls_stress([*words, "--results", str(self.folder), "--json"])
        if not out.getvalue():
            raise RuntimeError(err.getvalue())
        return dict(json.loads(out.getvalue()))

    def truth(self, total: int) -> Mapping[int, str]:
        """Client port -> node, by HAProxy's log, once it has so many connections."""
        self.haproxy.served(total)
        return {int(port): node for port, node in _LINE.findall(self.haproxy.output.read_text())}


@dataclass(frozen=True, slots=True)
class Way:
    """How a server is found, and of how many farms it has to be right."""

    name: str
    nginx: str
    """Directives of each node; `{name}` is the node's, `{key}` a file."""
    options: tuple[str, ...]
    ask: Callable[[Farm, tuple[str, ...]], Answer]
    least: float = 1.0


def by_ticket(farm: Farm, options: tuple[str, ...]) -> Answer:
    """Only the bad node was met with the key of the headline."""
    summary, truth = farm.run(*options), farm.truth(COUNT)
    named = _KEY.search(summary["headline"])
    with open_run(farm.folder / "farm.db") as run:
        rows = [row for row in run.records() if named and row.backend == named[1]]
    right = {truth[row.local_port or 0] for row in rows} == {BAD}
    return Answer(right, _counted(summary), summary["headline"])


def by_header(farm: Farm, options: tuple[str, ...]) -> Answer:
    """The headline names the bad node."""
    summary = farm.run(*options)
    right = f"came from backend {BAD}," in summary["headline"]
    return Answer(right, _counted(summary), summary["headline"])


def by_log(farm: Farm, options: tuple[str, ...]) -> Answer:
    """The headline names it, and each row has the node that HAProxy logged."""
    farm.run(*options)
    truth = farm.truth(COUNT)
    summary = farm.command("join", "farm", str(farm.haproxy.output), "--name", "joined")
    with open_run(farm.folder / "joined.db") as run:
        rows = list(run.records())
    agree = sum(row.backend == truth[row.local_port or 0] for row in rows)
    right = agree == len(rows) == COUNT and f"backend {BAD}," in summary["headline"]
    return Answer(right, None, f"{summary['headline']} ({agree} of {len(rows)} rows agree)")


def by_matrix(farm: Farm, options: tuple[str, ...]) -> Answer:
    """All failures are said to come from one group; it is the bad node, and no other."""
    summary = farm.run(*options)
    with open_run(farm.folder / "farm.db") as run:
        matrix = run.facts().matrix
    assert matrix is not None
    truth = farm.truth(COUNT + len(matrix.probes))
    met = [truth[probe.local_port or 0] for probe in matrix.probes]
    offers = [(met[one.offered], met[n], one) for n, one in enumerate(matrix.probes) if one.offered]
    agree = all((gave == took) == one.resumed for gave, took, one in offers)
    failed = {node for node, one in zip(met, matrix.probes, strict=True) if one.failed}
    found = summary["resumption_groups"]
    right = found["one_group"] and failed == {BAD} and agree
    counted = found["low"] is not None and found["low"] <= SERVERS <= found["high"]
    return Answer(right, counted, summary["lines"]["where"])


def by_nothing(farm: Farm, options: tuple[str, ...]) -> Answer:
    """Nobody is named; it is said that keys are shared, and what would name a server."""
    summary = farm.run(*options)
    where, groups = summary["lines"]["where"], summary["resumption_groups"]
    proposed = "--identify header:" in where and "tls-stress join farm LOG" in where
    named = "came from" in summary["headline"] or groups["one_group"]
    return Answer(groups["all_shared"] and proposed and not named, None, where)


def _counted(summary: Mapping[str, Any]) -> bool:
    count = summary["backend_count"]
    return bool(count["seen"] <= SERVERS and (count["high"] is None or count["high"] >= SERVERS))


WAYS = (
    Way("ticket name", "", (), by_ticket),
    Way(
        "header", "add_header X-Served-By {name};", ("--identify", "header:X-Served-By"), by_header
    ),
    Way("log", "", (), by_log),
    Way(
        "matrix",
        "ssl_session_tickets off; ssl_session_cache shared:own:1m;",
        ("--backends",),
        by_matrix,
        least=0.9,
    ),
    Way("nothing", "ssl_session_ticket_key {key};", ("--backends",), by_nothing),
)


@contextmanager
def started(directives: str, certificates: Certificates) -> Iterator[Farm]:
    """A farm whose nodes are processes of their own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        key, backends = folder / "ticket.key", []
        key.write_bytes(os.urandom(80))
        for number in range(1, SERVERS + 1):
            name = f"node-{number}"
            chain = certificates.alone if name == BAD else certificates.full
            extra = directives.format(name=name, key=key)
            node = Node(name, chain, certificates.key, extra=extra)
            nginx = stack.enter_context(Nginx([node], folder / name))
            backends.append(Backend(name, nginx.ports[name]))
        haproxy = stack.enter_context(Haproxy(backends, folder / "haproxy"))
        yield Farm(haproxy, folder, certificates)


def measure(way: Way, times: int, certificates: Certificates) -> Sequence[Answer]:
    """Each answer of so many farms."""
    answers = []
    for number in range(times):
        with started(way.nginx, certificates) as farm:
            answers.append(way.ask(farm, (*way.options, "--seed", str(number))))
        if not answers[-1].right:
            print(f"{way.name}, farm {number}: {answers[-1].said}", file=sys.stderr)
    return answers


def row(way: Way, answers: Sequence[Answer]) -> str:
    """A line of the table."""
    right = sum(one.right for one in answers)
    counts = [one.counted for one in answers if one.counted is not None]
    counted = f"{sum(counts)} of {len(counts)}" if counts else "–"  # noqa: RUF001 - no number
    code = [f"`{words}`" if words else "as it is" for words in (way.nginx, " ".join(way.options))]
    cells = (way.name, *code, f"{right} of {len(answers)}", counted, answers[0].said)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def main(words: Sequence[str] | None = None) -> int:
    """Ask in every way; exits 1 where one is right too seldom."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=TIMES, help="farms for each way")
    parser.add_argument("--only", nargs="*", help="these ways; the page is not written")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the page goes")
    options = parser.parse_args(words)
    text = _HEAD.format(
        when=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=dict(describe())["processor"],
        servers=SERVERS,
        times=options.times,
        count=COUNT,
    )
    wrong = False
    with tempfile.TemporaryDirectory() as name:
        certificates = Certificates.make(Path(name))
        for way in WAYS:
            if options.only and way.name not in options.only:
                continue
            answers = measure(way, options.times, certificates)
            text += row(way, answers)
            print(row(way, answers), end="", flush=True)
            wrong |= sum(one.right for one in answers) < way.least * options.times
    text += f"\nLoad average of the machine: {os.getloadavg()[2]:.1f} over the last 15 minutes.\n"
    if not options.only:
        options.page.write_text(text, encoding="utf-8")
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
