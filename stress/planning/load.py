"""How many handshakes, how fast and within which limits: read into `Load`, fitted to this machine.

What is true:

* Without any load option a run is small enough to need no consent.
* A rate makes an open loop: attempts start when due, whatever the target does, and the
  concurrency is only a cap. So its default is what a silent target would hold: rate x timeout.
  A lower one would turn a slow target into attempts that were not sent.
* Without a rate the loop is closed: the concurrency *is* the load.
* The limit of open files is per process, the concurrency over all of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from stress.errors import UsageError
from stress.host.limits import Machine
from stress.model.client import Client
from stress.model.plan import Limits, Load, Sweep
from stress.planning.load_shapes import held_open, highest, rate_blocks, segments_of, shaped
from stress.planning.request import Request
from stress.text.units import share, show_duration, show_rate

FIRST_RUN = Load(count=1000, concurrency=64, rate=50.0)
"""The load when no load option at all is given."""
CEILING_S = 900.0
"""Longest run for a goal (`--until`), unless `--max-duration` says otherwise."""
FILES_BESIDE = 128
"""Open files of one process besides its connections: event loop, pipes, library, run file."""
_MOST_IN_FLIGHT = 10_000
_MISS = 0.05
"""Chance that `--detect` misses a failure rate: 1 - 95%."""
_DEFAULT_LIMITS = Limits()
_STAGES = {"connect_s", "hello_s", "handshake_s", "after_handshake_s"}


def limits_of(request: Request) -> Limits:
    """Read the time limits; a stage without a limit of its own gets that of the attempt.

    Raises:
        UsageError: a limit is not a duration, or zero where that would end every attempt.
    """
    given = request.part("limits")
    attempt_s: float = given.get("attempt_s", _DEFAULT_LIMITS.attempt_s)
    chosen = dict.fromkeys(("connect_s", "hello_s", "handshake_s"), attempt_s) | given
    for stage in _STAGES & chosen.keys():
        chosen[stage] = min(chosen[stage], attempt_s)
    return replace(_DEFAULT_LIMITS, **chosen)


def sweep_of(request: Request, clients: Sequence[Client], resumption: float) -> tuple[Sweep, ...]:
    """Read what the search for the limit varies.

    Raises:
        UsageError: it is not one of the known, there is no search, or only one kind of handshake.
    """
    swept = tuple(dict.fromkeys(request.values("sweep", Sweep)))
    if swept and request.find_limit is None:
        raise UsageError(
            "--sweep: there is no search for a limit",
            "Say which goals must hold: --find-limit 'p99.total<250ms, failing<0.1%'.",
        )
    if Sweep.CLIENTS in swept and len(clients) == 1 and not resumption:
        raise UsageError(
            f"--sweep clients: {clients[0].name} is the only kind of handshake in this run",
            "Add a --client, such as --client rsa-only --client ecdsa-only, or --resumption 100%.",
        )
    return swept


@dataclass(frozen=True, slots=True)
class Amount:
    """A load, and what was chosen in it."""

    load: Load
    notes: tuple[str, ...] = ()


def amount_of(request: Request, machine: Machine, attempt_s: float, seed: int = 0) -> Amount:
    """Read the load options.

    Args:
        request: with the profile filled in.
        machine: what the load has to fit into.
        attempt_s: time limit of one attempt.
        seed: random seed.

    Raises:
        UsageError: an option cannot be read, nothing would be sent, or it does not fit.
    """
    total, seconds = _how_long(request)
    rate = request.value("rate", float)
    in_flight = request.value("concurrency", int)
    processes = request.value("processes", int)
    most = machine.open_files
    cap = _MOST_IN_FLIGHT
    if most is not None:
        cap = max(1, (most - FILES_BESIDE) * (processes or machine.cores))
    if request.find_limit is not None:
        # What the first step of the search offers; it has no end. Without a rate it is the
        # concurrency that is searched for.
        rate = (
            None if Sweep.CONCURRENCY in request.values("sweep", Sweep) else rate or FIRST_RUN.rate
        )
        first = Load(None, None, in_flight or min(_MOST_IN_FLIGHT, cap), rate)
        return Amount(_spread(shaped(request, first), processes, machine))
    segments = segments_of(request)
    if segments:
        rate = highest(segments)
    elif (total, seconds, request.rate, in_flight) == (None, None, None, None):
        rate, in_flight = FIRST_RUN.rate, FIRST_RUN.concurrency
    if request.rate_blocks:
        segments = rate_blocks(rate, seconds, seed)
    if segments:
        seconds = sum(segment.seconds for segment in segments)
    if total is None and seconds is None and not request.until:
        total = FIRST_RUN.count
    ceiling = request.value("max_duration", float) or (CEILING_S if request.until else None)
    seconds = min((s for s in (seconds, ceiling) if s is not None), default=None)
    notes: tuple[str, ...] = ()
    if in_flight is None:
        in_flight, notes = _default_in_flight(highest(segments) or rate, attempt_s, cap)
    load = shaped(request, Load(total, seconds, in_flight, rate, segments))
    load = _spread(load, processes, machine)
    if load.count is not None and load.count < load.concurrency:
        fewer = min(load.processes, load.count)
        load = replace(load, concurrency=load.count, processes=fewer)
    return Amount(load, notes)


def detection_size(text: str) -> int:
    """Read a failure rate, as the number of independent attempts that detect it with 95%.

    The smallest n with (1 - rate)^n <= 0.05.

    Raises:
        UsageError: it is not a rate above 0 and below 1.
    """
    failing = share(text)
    if not 0 < failing < 1:
        raise UsageError(f"a failure rate of {failing:g} cannot be detected", "Write 0.1%.")
    return math.ceil(math.log(_MISS) / math.log1p(-failing))


def files_needed(load: Load) -> int:
    """Return how many open files the busiest process needs."""
    return math.ceil((load.concurrency + held_open(load)) / load.processes) + FILES_BESIDE


def _how_long(request: Request) -> tuple[int | None, float | None]:
    """Return count and duration, None where one does not limit the run."""
    if request.find_limit is not None and {"count", "duration", "until"} & request.given():
        raise UsageError(
            "--find-limit ends by itself and cannot be used with --count, --duration or --until",
            "Remove them; --rate is where the search starts.",
        )
    if request.rate_blocks and {"count", "detect"} & request.given():
        raise UsageError(
            "--rate-blocks runs by time, not by count",
            "Remove --count and --detect; give --duration 2m, or nothing for 400 s.",
        )
    total, seconds = request.value("count", int), request.value("duration", float)
    detecting = request.value("detect", int)
    if detecting is not None:
        if total is not None:
            raise UsageError(
                "--detect and --count both set the number of handshakes", "Remove one of them."
            )
        total = detecting
    if (total, seconds) != (None, None) and not total and not seconds:
        raise UsageError(
            "count and duration are zero: nothing would be sent",
            "Give --count 1000 or --duration 30s, or neither for a first run.",
        )
    return total or None, seconds or None


def _default_in_flight(
    rate: float | None, attempt_s: float, cap: int
) -> tuple[int, tuple[str, ...]]:
    if rate is None:
        return min(FIRST_RUN.concurrency, cap), ()
    held = math.ceil(rate * attempt_s)
    in_flight = max(1, min(max(held, FIRST_RUN.concurrency), _MOST_IN_FLIGHT, cap))
    if in_flight >= held:
        return in_flight, ()
    offered = f"{show_rate(rate)} for {show_duration(attempt_s)}"
    note = f"at most {in_flight:,} in flight; a silent target would hold {held:,} ({offered})"
    return in_flight, (note,)


def _spread(load: Load, processes: int | None, machine: Machine) -> Load:
    """Return the load over its processes.

    Raises:
        UsageError: more processes than handshakes in flight, or more files than allowed.
    """
    if processes is not None and processes > load.concurrency:
        raise UsageError(
            f"--processes: {processes:,} for {load.concurrency:,} handshakes in flight",
            "Each process needs at least one: raise --concurrency or lower --processes.",
        )
    spread = replace(load, processes=processes or min(machine.cores, load.concurrency))
    needed, held, limit = files_needed(spread), held_open(spread), machine.open_files
    if limit is not None and needed > limit:
        fitting = max(0, (limit - FILES_BESIDE) * spread.processes - held)
        holding = f" and {held:,} held open" if held else ""
        raise UsageError(
            f"--concurrency: {load.concurrency:,} in flight{holding} need {needed:,} open files per"
            f" process; {limit:,} are allowed",
            f"{fitting:,} would fit. To raise the limit: ulimit -Hn {needed} as root,"
            f" LimitNOFILE={needed}\nin a systemd unit, or docker run --ulimit nofile={needed}.",
        )
    return spread
