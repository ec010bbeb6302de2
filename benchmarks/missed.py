"""What was missed: the reason, as far as it is known, and where its processor time goes.

The profile is that of Python's own profiler, by processor time, which makes calls look dearer than
they are: compare its parts with each other, not with the figures.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

HEADING = "## What is missed, and why"
LARGEST = 6
"""Parts of a profile that are shown."""
REASONS = {
    "report of few rows": "More than half is imports: a quarter are SciPy's special functions,"
    " needed where something failed, which look at every attribute of NumPy, its Fortran tools and"
    " tests included. To import SciPy lazily left half-imported modules of NumPy to others; an"
    " incomplete beta function of our own would change the last digits of every interval. A seventh"
    " is making some 180 frozen dataclasses, half a millisecond each; NumPy is a tenth.",
    "run of one": "Most of it is imports, in two processes: the worker is one of its own and"
    " imports Trio and a TLS stack once more, and the report needs NumPy. To make some 170"
    " dataclasses takes a seventh.",
    "slow signer": "See the samples, last column. The worker sleeps before each answer, as with one"
    " in flight, and few handshakes a second bear what a run costs in each second. It is neither"
    " the cryptography nor the larger certificates: where the client does not wait, RSA-4096 costs"
    " it no more than ECDSA (decision 22).",
    "client": "See the samples, first column. The TLS library and the kernel are the larger part,"
    " and nobody can leave them out; Python's is spread over some 95 functions a handshake"
    " (decision 22). What the library itself could spare stands in decision 23.",
    "in flight": "See the samples. With one in flight each event is waited for by itself, and the"
    " kernel and Python take more. With 1,000 compare the columns part by part. The parent's is"
    " above all its report, which searches for what is slower as soon as handshakes differ by"
    " 20 ms: not in every round, and not in the short run that is taken away.",
    "processes": "See the samples, two processes beside one with 50 in flight, part by part. The"
    " parent's is above all its report, which searches for what is slower as soon as handshakes"
    " differ by 20 ms: not in every round, and not in the short run that is taken away.",
    "server_ns": "See the column of the packets: where that one differs as well, the server itself"
    " took so long.",
}
_CODE = """
import cProfile, json, os, pstats, sys, time
from stress.__main__ import main
profile = cProfile.Profile(time.process_time)
out = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
sys.argv = ["tls-stress", *sys.argv[1:]]
profile.enable()
try:
    main()
except SystemExit:
    pass
profile.disable()
sys.stdout.flush()
os.dup2(out, 1)
found = pstats.Stats(profile).stats
print(json.dumps([[*where, times[2]] for where, times in found.items()]))
"""


@dataclass(frozen=True, slots=True)
class Missed:
    """A figure that did not reach its target."""

    what: str
    measured: str
    target: str
    why: str = ""
    """Key of `REASONS`; empty: not known."""
    parts: Sequence[tuple[str, float]] = ()
    """Of its `profile`; empty: the tables show where the time goes."""


def profile(words: Sequence[str]) -> list[tuple[str, float]]:
    """The largest parts of a command's processor time, each a share of the whole."""
    child = subprocess.run(
        [sys.executable, "-c", _CODE, *words], check=True, capture_output=True, text=True
    )
    times: dict[str, float] = {}
    for file, _line, function, own_s in json.loads(child.stdout.splitlines()[-1]):
        part = _part(file, function)
        times[part] = times.get(part, 0.0) + own_s
    whole = sum(times.values())
    ordered = sorted(times.items(), key=lambda one: -one[1])[:LARGEST]
    return [(part, own_s / whole) for part, own_s in ordered]


def _part(file: str, function: str) -> str:
    """The room or library that a function belongs to; of built-in ones, the function itself."""
    if file == "~":
        return function.strip("<{}>").removeprefix("built-in method ").removeprefix("method ")
    if "importlib" in file:
        return "importlib"
    if "/stress/" in file:
        room = file.rpartition("/stress/")[2].removesuffix(".py").split("/")
        return "stress." + ".".join(room[:2])
    folder = max((one for one in sys.path if file.startswith(f"{one}/")), key=len, default="")
    return file.removeprefix(f"{folder}/").partition("/")[0].removesuffix(".py")


def section(missed: Sequence[Missed]) -> str:
    """The section of the page: what was missed for one reason stands together."""
    if not missed:
        return f"{HEADING}\n\nNothing.\n"
    by_reason: dict[str, list[Missed]] = {}
    for one in missed:
        by_reason.setdefault(one.why, []).append(one)
    lines = []
    for why, group in by_reason.items():
        lines.append(f"{REASONS.get(why, 'Without a known reason besides the profile:')}\n")
        for one in group:
            parts = ", ".join(f"`{name}` {share:.0%}" for name, share in one.parts)
            profiled = f"; processor time, by the profiler: {parts}" if parts else ""
            lines.append(f"* {one.what}: {one.measured}, target {one.target}{profiled}")
        lines.append("")
    return f"{HEADING}\n\n" + "\n".join(lines).rstrip() + "\n"
