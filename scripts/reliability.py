"""Runs the tests of every promise and writes docs/reliability.md (`make reliability`)."""

# ruff: noqa: INP001 - a script is no package

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PROMISES = ROOT / "tests" / "promises.toml"
SOAK = ROOT / "benchmarks" / "soak.json"
PAGE = ROOT / "docs" / "reliability.md"
HEAD = """# Reliability

*Made by `make reliability`, which runs every test named here.*

A stress tester meets badly broken servers, and people rely on its records as evidence. Each line is
a promise, with the tests that would fail if it were broken, and their results in the last full run.
"""

Results = Mapping[str, Counter[str]]
"""Outcomes by `file::test`, all cases of a parametrized test together."""


def promised() -> list[dict[str, Any]]:
    """The parts of the list."""
    parts: list[dict[str, Any]] = tomllib.loads(PROMISES.read_text())["part"]
    return parts


def named() -> Iterator[str]:
    """Every test that is named, as `file` or `file::test`."""
    for part in promised():
        for _, tests in part["promises"]:
            yield from tests


Visits = Mapping[str, Sequence[tuple[str, float, float, bool]]]
"""By door: the file, CPU seconds, MB, and whether there was a traceback, of each visit."""
DOORS = (
    *("report", "compare", "export", "evidence", "replay", "run --continue"),
    *("run --profile", "explain", "clients import", "judge", "isolate", "join", "merge"),
)
"""The commands that open a file that may be a stranger's."""


def run() -> tuple[Results, Visits]:
    """Run every named test once; count the outcomes, and collect what strangers' files took."""
    wanted = sorted({f"tests/{name}" for name in named()})
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [sys.executable, "-m", "pytest", "-q", "-n", "auto", "-p", "no:cacheprovider"]
        subprocess.run([*command, f"--junitxml={report}", *wanted], check=False, cwd=ROOT)  # noqa: S603 - ours
        root = ET.parse(report).getroot()  # noqa: S314 - ours
    found: dict[str, Counter[str]] = {}
    visits: dict[str, list[tuple[str, float, float, bool]]] = {}
    for case in root.iter("testcase"):
        for noted in case.iterfind("properties/property[@name='visit']"):
            door, *figures = json.loads(noted.get("value", ""))
            visits.setdefault(door, []).append(tuple(figures))
        file = case.get("classname", "").removeprefix("tests.").replace(".", "/")
        key = f"{file}.py::{case.get('name', '').partition('[')[0]}"
        found.setdefault(key, Counter())[_outcome(case)] += 1
    return found, visits


def _outcome(case: ET.Element) -> str:
    kinds = {child.tag for child in case}
    return (
        "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
    )


def count(results: Results, tests: Iterable[str]) -> Counter[str]:
    """The outcomes of all tests of a promise."""
    total: Counter[str] = Counter()
    for key, outcomes in results.items():
        if any(key == test or key.startswith(f"{test}::") for test in tests):
            total += outcomes
    return total


def page(results: Results, visits: Visits, soak: Mapping[str, Any] | None) -> str:
    """The document."""
    lines = [HEAD]
    for part in promised():
        lines += [f"## {part['title']}\n", "| promise | tests | last full run |", "|---|---|---|"]
        for promise, tests in part["promises"]:
            shown = ", ".join(f"`{test.rpartition('::')[2]}`" for test in tests)
            ended = count(results, tests)
            words = ", ".join(f"{number} {word}" for word, number in sorted(ended.items()))
            lines.append(f"| {promise} | {shown} | {words or 'not run'} |")
        lines.append("")
    lines += [*_doors(visits), *_figures(results)]
    return "\n".join([*lines, _soak(soak) if soak else ""])


def _doors(visits: Visits) -> list[str]:
    lines = [
        "## What a stranger's file can cost\n",
        "Every file of the corpus in `tests/strangers`, and true ones, that went through each door",
        "in the last full run, in a process whose connections, programs and files were watched.",
        "The limits are 10 s of CPU time and 500 MB; the figures include loading the program.\n",
        "| door | files | most CPU seconds | most MB | tracebacks |",
        "|---|---|---|---|---|",
    ]
    for door in DOORS:
        here = visits.get(door, ())
        files = len({file for file, *_ in here})
        seconds = max((seconds for _, seconds, *_ in here), default=0.0)
        megabytes = max((megabytes for *_, megabytes, _ in here), default=0.0)
        broken = sum(broken for *_, broken in here)
        lines.append(f"| `{door}` | {files:,} | {seconds:.1f} | {megabytes:.0f} | {broken} |")
    return [*lines, ""]


def _figures(results: Results) -> list[str]:
    corpus = "hostile/test_corpus.py::test_a_hostile_server_gets_the_right_outcome_and_stage"
    right = count(results, [corpus])["passed"]
    total = sum(results.values(), Counter())
    faults = sum((each for key, each in results.items() if key[:7] == "faults/"), Counter())
    ended = ", ".join(f"{total[word]} {word}" for word in ("passed", "failed", "skipped"))
    return [
        "## Figures of the last full run\n",
        f"* Hostile servers, on two stacks and in two kinds of run: {right} classified correctly.",
        f"* Faults injected into the whole program: {faults['passed']} cases passed.",
        f"* All tests named here: {ended}.",
        "",
    ]


_SOAK = """## The last soak

`make soak`: a farm in which one node reloads, one flaps and one rotates its certificate.

* {attempts:,} handshakes in {seconds:,.0f} s, {rows:,} rows: {lost:,} lost.
* Failures reported: {reported}. Planted, as counted by the farm: {counted}. The report named the
  bad chain as the cause of the former.
* All our processes together used {peak_mib:.0f} MiB at most, and grew in the later part of this
  run at a rate of {mib_per_million:.0f} MiB per million handshakes.
* The process that writes the rows, given made-up ones, uses
  {kept}.
* The run file takes {bytes_per_row:.0f} bytes per handshake, with the evidence of the failures.
* Measured on {machine}.
"""


def _soak(soak: Mapping[str, Any]) -> str:
    kept = soak["keeping_mib"].items()
    return _SOAK.format_map(
        dict(soak)
        | {
            "lost": soak["attempts"] - soak["rows"],
            "reported": _listed(soak["failures"]),
            "counted": _listed(soak["planted"]),
            "mib_per_million": soak["kib_per_million"] / 1024,
            "kept": ", ".join(
                f"{mib:.0f} MiB at {int(rows) / 1e6:g} million" for rows, mib in kept
            ),
        }
    )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in counts.items())


def main() -> None:
    """Run everything and write the page."""
    argparse.ArgumentParser(prog="python -m scripts.reliability", description=__doc__).parse_args()
    soak = json.loads(SOAK.read_text()) if SOAK.exists() else None
    results, visits = run()
    PAGE.write_text(page(results, visits, soak))
    failed = sum(outcomes["failed"] for outcomes in results.values())
    sys.exit(f"{failed} tests failed" if failed else 0)


if __name__ == "__main__":
    main()
