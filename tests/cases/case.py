"""Reads the cases, starts their farms, and asks the product as somebody with that trouble would.

A farm is a lab scenario, or real servers: nginx, HAProxy, and for what neither can be configured to
be, `tests.cases.odd_servers`. Each node has a port of its own; a balancer is a HAProxy before them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from stress.lab.farm import start
from tests.cases.certificates import ANCHORS, CertificateSpec, CertificateStore
from tests.servers.haproxy import Backend, Haproxy
from tests.servers.nginx import Nginx, Node
from tests.servers.process import ServerProcess, free_ports

FOLDER = Path(__file__).resolve().parent
REPOSITORY = FOLDER.parent.parent
PATIENCE_S = 600
_TERMINATOR = """\
global
  maxconn {connections}
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend front
  bind 127.0.0.1:{port} ssl crt {pem} {listen}
  {extra}
  http-request return status 200
"""


class NodeSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One server of a farm, or as many alike as `number` says."""

    server: str = "nginx"
    """`nginx`, `haproxy`, `nobody` (a port on which nothing listens), or one of `odd_servers`."""
    number: int = 1
    certificate: str = "app"
    listen: str | None = None
    """Words of nginx's `listen` or of HAProxy's `bind`."""
    extra: str = ""
    """More directives of nginx's server, or of HAProxy's frontend."""
    connections: int = 2_000
    """How many it can have open."""
    words: tuple[str, ...] = ()
    """Arguments of an odd server; {node} is the port of the first node, {pem} its certificate."""
    behind: str = ""
    """More words of the balancer's line for it."""


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of trouble: the situation, the farm, what is asked, what is known of the truth."""

    title: str
    situation: str
    chapter: str
    known: str
    """How the truth is known, whatever the product says."""
    source: str = ""
    """Where somebody lived through it."""
    scenario: str = ""
    """Of the lab; empty: `nodes`."""
    most: int = 1_200
    """Most handshakes of a lab scenario; a page needs fewer than a scorecard."""
    nodes: tuple[NodeSpec, ...] = ()
    balancer: bool = False
    beside: tuple[str, ...] = ()
    """An odd server that does something to the first node meanwhile, with its arguments."""
    certificates: dict[str, CertificateSpec] = {}
    target: str = "app.test"
    """Name that is asked for; `ip`: the address itself."""
    options: tuple[str, ...] = ()
    """More words of `run`."""
    exits: tuple[int, ...] = (1,)
    share: tuple[float, float] | None = None
    """Between which values the failing share must be, as it was planted."""
    likely: tuple[str, ...] = ()
    """One of which must come first."""
    say: tuple[str, ...] = ()
    """Expressions that the report must match; upper and lower case are alike."""
    never: tuple[str, ...] = ()
    """Root causes that must not be named, or expressions that must match nothing."""
    fast: bool = False
    """Also in the usual test run."""
    needs: tuple[str, ...] = ("nginx", "haproxy")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the product answered."""

    exit: int
    summary: dict[str, Any]
    report: str
    command: tuple[str, ...]


def read_cases() -> dict[str, Case]:
    """All cases by name, in the order of the book."""
    table = tomllib.loads((FOLDER / "cases.toml").read_text())
    return msgspec.convert(table, dict[str, Case])


def ask(case: Case) -> Asked:
    """Start the farm of a case and ask the product about it."""
    with tempfile.TemporaryDirectory(prefix="case-") as folder, farm(case, Path(folder)) as where:
        words = ["run", *where, *case.options]
        code, out = _call([*words, "--name", "case", "--json"], Path(folder))
        _, report = _call(["report", "case", "--share"], Path(folder))
    return Asked(code, json.loads(out), report, ("tls-stress", *words))


@contextmanager
def farm(case: Case, folder: Path) -> Iterator[list[str]]:
    """Start the servers of a case; gives the words by which `run` meets them."""
    if case.scenario:
        with start(case.scenario) as lab:
            words = lab.run_words
            count = words.index("-n") + 1
            words[count] = str(min(int(words[count]), case.most))
            yield words
        return
    store = CertificateStore(case.certificates, folder)
    with ExitStack() as cleanup:
        nodes = [one for each in case.nodes for one in [each] * each.number]
        ports: list[int] = []
        for number, node in enumerate(nodes, 1):
            place = folder / f"node-{number}"
            place.mkdir()
            ports.append(_start(node, store, place, ports, cleanup))
        if case.beside:
            name, *more = case.beside
            cleanup.enter_context(_odd(name, ports[0], more, folder, listens=False))
        if case.balancer:
            backends = [
                Backend(f"node-{number}", port, extra=node.behind)
                for number, (node, port) in enumerate(zip(nodes, ports, strict=True), 1)
            ]
            ports = [cleanup.enter_context(Haproxy(backends, folder / "balancer")).port]
        host = "127.0.0.1" if case.target == "ip" else case.target
        words = [f"{host}:{ports[0]}"]
        if case.target != "ip":
            labels = [""] if len(ports) == 1 else [f"=node-{n}" for n in range(1, len(ports) + 1)]
            for port, label in zip(ports, labels, strict=True):
                words += ["--address", f"127.0.0.1:{port}{label}"]
        anchors = folder / ANCHORS  # a server that makes certificates itself has written it
        yield [*words, "--ca", str(anchors if anchors.exists() else store.anchors)]


def _start(
    node: NodeSpec, store: CertificateStore, folder: Path, ports: Sequence[int], cleanup: ExitStack
) -> int:
    """Start one server; returns its port."""
    if node.server == "nginx":
        chain, key = store.chain(node.certificate), store.key(node.certificate)
        block = Node("node", chain, key, extra=node.extra, listen=node.listen or "ssl")
        nginx = cleanup.enter_context(Nginx([block], folder, node.connections))
        return nginx.ports["node"]
    (port,) = free_ports(1)
    if node.server == "haproxy":
        configuration = folder / "haproxy.cfg"
        configuration.write_text(
            _TERMINATOR.format(
                port=port,
                pem=store.whole(node.certificate),
                listen=node.listen or "",
                extra=node.extra,
                connections=node.connections,
            )
        )
        server = ServerProcess(["haproxy", "-db", "-f", str(configuration)], folder)
        cleanup.enter_context(server)
        server.wait_for_port(port)
    elif node.server != "nobody":
        pem = store.whole(node.certificate) if node.certificate else ""
        first = ports[0] if ports else port
        words = [each.format(node=first, pem=pem, folder=folder.parent) for each in node.words]
        cleanup.enter_context(_odd(node.server, port, words, folder, listens=True))
    return port


def _odd(
    kind: str, port: int, words: Sequence[str], folder: Path, *, listens: bool
) -> ServerProcess:
    runner = ["env", f"PYTHONPATH={REPOSITORY}", sys.executable, "-m", "tests.cases.odd_servers"]
    process = ServerProcess([*runner, kind, str(port), *words], folder)
    if listens:
        process.wait_for_port(port)
    return process


def _call(words: Sequence[str], folder: Path) -> tuple[int, str]:
    """In a process of its own: nothing of one case may be remembered in the next."""
    done = subprocess.run(
        ["env", f"PYTHONPATH={REPOSITORY}", sys.executable, "-m", "stress", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    if not done.stdout:
        raise RuntimeError(f"{words} printed nothing: {done.stderr}")
    return done.returncode, done.stdout


def needed(case: Case) -> tuple[str, ...]:
    """Programs that the case cannot do without."""
    return () if case.scenario else case.needs
