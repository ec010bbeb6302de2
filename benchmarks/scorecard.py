"""Is what was planted found? Every scenario of the lab, run and checked: `make scorecard`.

A scenario counts as found when the report names what was planted first, in the dimensions in which
it was planted, and nothing else before it. A healthy farm is tested again and again: whatever a
report blames there is a false finding. Scenarios with a limit are tested at rates that vary at
random below and above it, because a single rate shows no limit.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import describe
from stress.cli.options import parse
from stress.cli.output import Output
from stress.lab.farm import Farm, start
from stress.lab.scenarios import scenarios
from stress.model.summary import Answer, Summary
from stress.planning.request import Request
from stress.runner.run import RunLocation, prepare, record
from stress.runner.scoring import missed
from stress.text import numbers
from stress.text.escape import escape

PAGE = Path(__file__).resolve().parent.parent / "docs" / "scorecard.md"
HEALTHY = "healthy"
YES = "yes"
NO_VERDICT = "no verdict"
HEALTHY_RUNS, HEALTHY_COUNT = 100, 1_000
VARIED_FOR = {"slow-signer": "300s"}
"""How long the rate is varied, where 80 s are too short: a queue must grow for some seconds before
it becomes a timeout, and must be gone before the next one is distinguishable."""
MOST_UNSENT = 0.1
"""If a larger part of the load was not sent, the run says nothing about a limit."""
OVER = 1.2
"""The rate that is varied, in multiples of the limit: 30 to 150% of it are offered."""
_HEAD = """\
# Scorecard

Made by `make scorecard`: every scenario of the lab, run once, and a healthy farm {healthy} times,
{when} on {machine}. "Found" means that the first cause in the
report (of two planted ones: the first two) is what was planted, in the dimensions in which it was.

| scenario | planted | failed | first cause in the report | found |
|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Score:
    """One run of one scenario."""

    scenario: str
    planted: str
    summary: Summary
    missed: tuple[str, ...]

    @property
    def silent(self) -> str:
        """Why this run says nothing about the report; empty when it does."""
        if self.summary.verdict is Answer.INVALID:
            return self.summary.validity.reasons[0]
        if self.summary.not_sent > MOST_UNSENT * self.summary.attempts:
            return f"{self.summary.not_sent:,} attempts were due and not sent"
        return ""

    @property
    def found(self) -> str:
        """For the table. What is reported counts as found, also in an invalid run."""
        if self.missed and self.silent:
            return f"{NO_VERDICT}: {self.silent}"
        return "; ".join(self.missed) or YES

    @property
    def first(self) -> str:
        """The first cause, of failures if there are any; else what the report says."""
        failing = [cause for cause in self.summary.causes if cause.failures]
        if failing:
            return failing[0].sentence
        if self.summary.failures.count or not self.summary.causes:
            return self.summary.lines.where
        return self.summary.causes[0].sentence

    def row(self) -> str:
        """As a line of the table."""
        failures, attempts = self.summary.failures.count, self.summary.attempts
        rate = numbers.percent(failures / attempts) if attempts else "-"
        cells = (
            f"`{self.scenario}`",
            escape(self.planted, longest=500),
            f"{failures:,} of {attempts:,} ({rate})",
            escape(self.first, longest=500),
            escape(self.found, longest=500),
        )
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def score(name: str, folder: Path) -> Score:
    """Runs one scenario and checks the report."""
    with start(name) as farm:
        return _scored(farm, _words(farm), folder)


def healthy(folder: Path, times: int) -> Sequence[Score]:
    """Tests one farm without any fault again and again."""
    if not times:
        return ()
    with start(HEALTHY) as farm:
        words = [*farm.run_words, "-n", str(HEALTHY_COUNT)]
        return [_scored(farm, [*words, "--seed", str(seed)], folder) for seed in range(times)]


def _scored(farm: Farm, words: Sequence[str], folder: Path) -> Score:
    name, output = farm.scenario.name, Output.of(Request(quiet=True))
    path = record(prepare(parse(words)), RunLocation(folder, name), output.display())
    summary = output.show(path)
    path.unlink()
    not_found = missed(summary, farm.planted, farm.windows_ns())
    return Score(name, farm.planted.sentence, summary, not_found)


def _words(farm: Farm) -> list[str]:
    """The arguments of `run`; where a limit was planted, with a load that varies around it."""
    words, limit = farm.run_words, farm.scenario.limit_per_s
    if limit is None:
        return words
    for option in ("-n", "--rate"):
        place = words.index(option)
        del words[place : place + 2]
    duration = VARIED_FOR.get(farm.scenario.name, "80s")
    return [*words, "--rate", f"{limit * OVER:g}", "--rate-blocks", "-d", duration]


def page(scores: Sequence[Score], clean: Sequence[Score]) -> str:
    """The page of the documentation."""
    machine = dict(describe())["processor"]
    when = f"{datetime.now(UTC):%Y-%m-%d}"
    head = _HEAD.format(healthy=len(clean), machine=machine, when=when)
    return head + "".join(one.row() for one in scores) + "\n" + "".join(_summed(scores, clean))


def _summed(scores: Sequence[Score], clean: Sequence[Score]) -> Iterator[str]:
    found = sum(one.found == YES for one in scores)
    silent = sum(one.found.startswith(NO_VERDICT) for one in scores)
    words = f"; {silent} gave no verdict, because this machine was too busy" if silent else ""
    yield f"What was planted was found in {found} of {len(scores)} scenarios{words}.\n"
    false = [one for one in clean if one.missed]
    handshakes = sum(one.summary.attempts for one in clean)
    yield (
        f"{len(false)} of {len(clean)} runs of a healthy farm ({handshakes:,} handshakes in all) "
        "reported a cause.\n"
    )
    yield f"Load average of the machine: {os.getloadavg()[2]:.1f} over the last 15 minutes.\n"


def main(words: Sequence[str] | None = None) -> int:
    """Run everything in turn and write the page; exits 1 when something was not found."""
    options = _options(words)
    names = options.only or [name for name in scenarios() if name != HEALTHY]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scores = [score(each, folder) for each in names]
        clean = healthy(folder, options.healthy)
    text = page(scores, clean)
    sys.stdout.write(text)
    if not options.only:
        options.page.write_text(text, encoding="utf-8")
    return int(any(one.missed for one in (*scores, *clean)))


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--healthy", type=int, default=HEALTHY_RUNS, help="runs of a healthy farm")
    parser.add_argument("--only", nargs="*", help="these scenarios; the page is not written")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the page goes")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
