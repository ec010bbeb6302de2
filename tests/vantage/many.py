"""One run from three hosts by ssh and three workers of a Dask cluster, each in its own namespace.

`python -m tests.vantage.many [HANDSHAKES [TIMES]]` makes a run of so many handshakes (300,000), and
so many small ones with a fault that one vantage alone sees (10), and prints what came of them.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any, Self

from tests.vantage.dask_cluster import DaskCluster
from tests.vantage.hosts import OURS, Hosts

BY_SSH = ("fra", "nyc", "sfo")
BY_DASK = ("ann", "bob", "eve")
PATIENCE_S = 7_200


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to, beside what nginx logged meanwhile."""

    code: int
    document: dict[str, Any]
    attempts: Counter[str]
    """By host."""
    connections: Counter[str]
    """By host, of nginx's log."""
    said: str


class ManyPlaces:
    """Six hosts; nginx answers one of them, `eve`, without its intermediate.

    Raises:
        RefusedError: this machine makes no namespaces.
    """

    def __init__(self, folder: Path) -> None:
        self._stack = ExitStack()
        (folder / "cluster").mkdir()
        names = dict.fromkeys((*BY_SSH, *BY_DASK), 0.0)
        self.hosts = self._stack.enter_context(Hosts(folder, names, ("eve",)))
        try:
            inside = self.hosts.inside
            cluster = DaskCluster(folder / "cluster", host=OURS, prefix=inside())
            self.cluster = self._stack.enter_context(cluster)
            for name in BY_DASK:
                cluster.add(name, prefix=inside(name), host=self.hosts.addresses[name])
        except BaseException:
            self._stack.close()
            raise
        by_address = sorted(BY_DASK, key=cluster.workers.__getitem__)
        self.names = {name: name for name in BY_SSH}
        """Of the hosts, by vantage."""
        self.names |= {f"all-{number}": name for number, name in enumerate(by_address, 1)}

    def run(self, *words: str) -> Outcome:
        """Make a run from all of them."""
        before = self.hosts.connections()
        vantages = (*self.hosts.vantages(*BY_SSH), "--vantage", f"all={self.cluster.address}")
        process = self.hosts.start(
            *words, "--json", *vantages, environment=self.cluster.environment
        )
        out, err = process.communicate(timeout=PATIENCE_S)
        document = json.loads(out)
        made: dict[str, int] = {one["name"]: one["attempts"] for one in document["vantages"]}
        attempts = Counter({self.names[name]: number for name, number in made.items()})
        logged = self.hosts.connections() - before
        return Outcome(process.returncode, document, attempts, logged, err)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def first_cause(outcome: Outcome) -> list[tuple[str, str]]:
    """Conditions of the first cause, each a dimension and its value."""
    causes = outcome.document["causes"]
    return [(one["dimension"], one["value"]) for one in causes[0]["conditions"]] if causes else []


def main(handshakes: int = 300_000, times: int = 10) -> None:
    """Print what a large run and several small ones came to."""
    with TemporaryDirectory() as folder, ManyPlaces(Path(folder)) as places:
        begun_s = monotonic()
        load = ("--concurrency", "120", "--processes", "6")
        outcome = places.run("-n", str(handshakes), *load)
        took_s = monotonic() - begun_s
        file = next((places.hosts.folder / "results").iterdir())
        attempts = outcome.document["attempts"]
        _tell(f"{attempts:,} attempts in one file of {file.stat().st_size / 1e6:.1f} MB")
        _tell(f"{took_s:.0f} s, exit code {outcome.code}")
        for name in (*BY_SSH, *BY_DASK):
            _tell(f"{name}: file {outcome.attempts[name]:,}, log {outcome.connections[name]:,}")
        equal = outcome.attempts == outcome.connections
        _tell("equal" if equal else f"not equal: {outcome.said[-4_000:]}")
        eve = next(vantage for vantage, name in places.names.items() if name == "eve")
        _tell(f"the first cause is {first_cause(outcome)}, and should be {eve}")
        found = 0
        for number in range(1, times + 1):
            small = places.run("-n", "600", "--concurrency", "12", "--name", f"small-{number}")
            found += first_cause(small) == [("vantage", eve)]
            _tell(f"the same of 600 handshakes: the first cause in {found} of {number}")


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
