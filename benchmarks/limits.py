"""Is a known limit found? Searches from rates drawn at random: `make limits`.

Two scenarios of the lab take 400 connections a second and no more: one empties its accept queue at
that rate, one signs for 2.5 ms each, one handshake at a time. Each search is what a user would type
(`--find-limit`), starts at another rate, and is right when both the highest sustained rate and the
first failing one lie within 5% of the planted limit. After them come real limiters
(`benchmarks.limiters`).

A search needs a quiet machine with two cores, because the farm works on the same one: on a busy
machine it ends as *generator-limited*, which counts here as not found.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from benchmarks.limiters import HEAD, KINDS, NEAR, Measured, measure
from benchmarks.machine import describe
from stress.cli.options import parse
from stress.cli.output import Output
from stress.lab.farm import Farm, start
from stress.model.limit import Limit
from stress.model.summary import Answer
from stress.planning.request import Request
from stress.runner.run import RunLocation, prepare, record

PAGE = Path(__file__).resolve().parent.parent / "docs" / "limits.md"
SCENARIOS = ("overload", "slow-signer")
GOAL = "p99.total<250ms, failing<0.1%"
TIMES = 5
FROM, TO = 0.25, 0.75
"""Where a search begins, as a fraction of the limit."""
SEED = 1
_HEAD = """\
# Limits

Made by `make limits`, {when} on {machine}.

Two scenarios of the lab have a known limit. `tls-stress run --find-limit '{goal}'`
searched for it {times} times in each, starting at random rates. "Found" means: confirmed, with both
the sustained rate and the first failing one within {near:.0f}% of the planted one.

| scenario | planted | started at | sustained | first failing | limiting factor | took | found |
|---|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Search:
    """What one search reported, and the planted limit."""

    scenario: str
    planted: float
    """Connections a second."""
    begun: float
    limit: Limit | None
    """None: the search ended without one."""
    verdict: Answer
    seconds: float

    @property
    def found(self) -> bool:
        """Whether it was confirmed and both its ends are near what was planted."""
        limit = self.limit
        if limit is None or not limit.confirmed or limit.generator_limited:
            return False
        ends = (limit.sustained, limit.first_failing)
        return all(end is not None and self._is_near(end) for end in ends)

    def _is_near(self, rate: float) -> bool:
        return abs(rate - self.planted) <= NEAR * self.planted

    def row(self) -> str:
        """As a line of the table."""
        limit = self.limit
        cells = (
            f"`{self.scenario}`",
            f"{self.planted:.0f}/s",
            f"{self.begun:.0f}/s",
            self._rate(limit.sustained if limit else None),
            self._rate(limit.first_failing if limit else None),
            limit.gave_way if limit else "-",
            f"{self.seconds:.0f} s",
            "yes" if self.found else self._why(),
        )
        return "| " + " | ".join(cells) + " |\n"

    def _rate(self, rate: float | None) -> str:
        return "-" if rate is None else f"{rate:.0f}/s ({rate / self.planted - 1.0:+.1%})"

    def _why(self) -> str:
        if self.limit is None:
            return f"no: {self.verdict}"
        if self.limit.generator_limited:
            return "no: generator-limited"
        return "no" if self.limit.confirmed else "no: not confirmed"


def search(name: str, begin: float, seed: int, folder: Path) -> Search:
    """Starts the scenario anew and searches once, from this part of its limit."""
    with start(name) as farm:
        planted = farm.scenario.limit_per_s
        assert planted is not None, f"{name} has no limit"
        words, output = _words(farm, begin * planted, seed), Output.of(Request(quiet=True))
        begun = monotonic()
        path = record(prepare(parse(words)), RunLocation(folder, name), output.display())
        took = monotonic() - begun
    summary = output.show(path)
    path.unlink()
    limit = summary.limits[0] if summary.limits else None
    return Search(name, planted, begin * planted, limit, summary.verdict, took)


def _words(farm: Farm, rate: float, seed: int) -> list[str]:
    first = farm.addresses[0]
    words = [f"{farm.host}:{first.port}", "--address", str(first), "--ca", str(farm.ca_file)]
    return [*words, "--find-limit", GOAL, "--rate", f"{rate:.0f}", "--seed", str(seed)]


def page(searches: Sequence[Search], limiters: Sequence[Measured] = ()) -> str:
    """The page of the documentation."""
    machine = dict(describe())["processor"]
    when = f"{datetime.now(UTC):%Y-%m-%d}"
    times = len(searches) // len({one.scenario for one in searches})
    head = _HEAD.format(goal=GOAL, machine=machine, near=100 * NEAR, times=times, when=when)
    text = head + "".join(one.row() for one in searches) + "\n" + "".join(_summed(searches))
    if limiters:
        text += _LIMITERS.format(near=100 * NEAR) + HEAD + "".join(one.row() for one in limiters)
    return text


_LIMITERS = """\

Real limiters, each in a network namespace of its own with a server behind it, and searched for
once. "Found" means: sustained within {near:.0f}% of what the limiter lets through, and as many good
handshakes as it let through in all by its own count, within 1%. What it lets through is what it is
set to; for so many at once, what follows from how long they were open by its own log; where
connections wait, its own count while the answer is confirmed.

"""


def _summed(searches: Sequence[Search]) -> Iterator[str]:
    for name in dict.fromkeys(one.scenario for one in searches):
        mine = [one for one in searches if one.scenario == name]
        found = sum(one.found for one in mine)
        yield f"`{name}`: found in {found} of {len(mine)}.\n"
    yield f"\nLoad average of the machine: {os.getloadavg()[2]:.1f} over the last 15 minutes.\n"


def main(words: Sequence[str] | None = None) -> int:
    """Search everything in turn and write the page; exits 1 when a limit was not found."""
    options = _options(words)
    searches = []
    with tempfile.TemporaryDirectory() as folder:
        for name in options.only or SCENARIOS:
            starts = random.Random(f"{name} {SEED}")
            for seed in range(options.times):
                searches.append(search(name, starts.uniform(FROM, TO), seed, Path(folder)))
                print(searches[-1].row(), end="", flush=True)
    limiters = []
    for name in KINDS if not options.only else ():
        limiters.append(measure(name))
        print(limiters[-1].row(), end="", flush=True)
    text = page(searches, limiters)
    if not options.only:
        options.page.write_text(text, encoding="utf-8")
    print(text.rpartition("|\n")[2], end="")
    return int(not all([*(one.found for one in searches), *(one.found for one in limiters)]))


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limits", description=__doc__)
    parser.add_argument("--times", type=int, default=TIMES, help="searches in each scenario")
    parser.add_argument("--only", nargs="*", help="these scenarios; the page is not written")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the page goes")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
