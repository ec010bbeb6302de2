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
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

from stress.errors import UsageError
from stress.host.limits import Machine
from stress.model.plan import Arrivals, Limits, Load, Plan, Segment, Sweep
from stress.planning.request import Request, options
from stress.text.escape import quoted
from stress.text.units import (
    positive_duration_s,
    rate_per_s,
    share,
    show_duration,
    show_rate,
    written,
)

# The shape of an open loop: segments of rates, spacing of starts, warm-up, held connections.
#
# A segment is written `{rate = "200/s", to = "1000/s", duration = "30s"}` in a profile; as one
# text, which is also how it is carried, it is `200/s to 1000/s for 30s`, or `200/s for 30s`.

_SEGMENT = re.compile(r"\s*(\S+)(?:\s+to\s+(\S+))?\s+for\s+(\S+)\s*")
_HINT = 'Write {rate = "200/s", to = "1000/s", duration = "30s"}; without `to` it is constant.'


def segment(text: str) -> Segment:
    """Read one segment of the load.

    Raises:
        UsageError: it is not a segment.
    """
    found = _SEGMENT.fullmatch(text)
    if found is None:
        raise UsageError(f'"{quoted(text)}" is not a segment of a load', _HINT)
    rate, seconds = rate_per_s(found[1]), positive_duration_s(found[3])
    to = None if found[2] is None else rate_per_s(found[2])
    if rate is None or (found[2] is not None and to is None):
        raise UsageError(f'"{quoted(text)}": a segment needs a rate', _HINT)
    return Segment(rate, seconds, to)


def segment_text(table: Mapping[str, object]) -> str:
    """Write a profile's table as the text that `segment` reads.

    Raises:
        UsageError: a key is unknown or missing, or its value is neither text nor number.
    """
    amounts = {key: value for key, value in table.items() if isinstance(value, str | int | float)}
    if len(amounts) < len(table) or not {"rate", "duration"} <= set(table) <= {
        *("rate", "to", "duration")
    }:
        raise UsageError(f"a segment has the keys {', '.join(sorted(table)) or '(none)'}", _HINT)
    to = f" to {written(amounts['to'])}" if "to" in amounts else ""
    return f"{written(amounts['rate'])}{to} for {written(amounts['duration'])}"


def segments_of(request: Request) -> tuple[Segment, ...]:
    """Return the segments that the profile sets; none: the rate does not vary.

    Raises:
        UsageError: one is not a segment, or another option sets amount or rate, too.
    """
    rivals = ("rate", "duration", "count", "detect", "find_limit", "rate_blocks")
    for field in rivals if request.segments else ():
        if field in request.given():
            raise UsageError(
                f"{options()[field].shown} and `segments` both set amount and rate of the load",
                "Remove one of them.",
            )
    return request.values("segments", Segment)


def shaped(request: Request, load: Load) -> Load:
    """Return the load with its spacing, warm-up and held connections.

    Raises:
        UsageError: one cannot be read, or nothing bounds how many connections are held.
    """
    load = replace(load, **request.part("load"))
    if load.hold_s and load.count is None and load.rate is None:
        rate = "Leave out --sweep concurrency: at 100/s and --hold 2s, 200 are open at once."
        raise UsageError(
            "--hold: nothing bounds the number of connections held open",
            rate if request.find_limit is not None else "Add --rate 100 or --count 1000.",
        )
    return load


def highest(segments: Sequence[Segment]) -> float | None:
    """Return the highest rate of the segments; None: there are none."""
    return max((max(each.rate, each.to or 0.0) for each in segments), default=None)


def total_of(load: Load) -> int | None:
    """Return the most attempts that a load can make; None: nothing bounds it."""
    by_time = None
    if load.rate is not None and load.duration_s is not None:
        by_time = math.ceil(load.rate * load.duration_s)
    return min((n for n in (load.count, by_time) if n is not None), default=None)


def held_open(load: Load) -> int:
    """Return the most connections that are held open after their handshake."""
    rate = highest(load.segments) or load.rate
    bounds = [] if load.count is None else [load.count]
    if rate is not None:
        bounds.append(math.ceil(rate * load.hold_s))
    return min(bounds, default=0) if load.hold_s else 0


# Randomised rates (`--rate-blocks`): does the failure rate follow the offered load?
#
# Only rates in random order can show that: with a ramp, whatever breaks late in the run is blamed
# on load. Every round has each level once, in an order of its own, so that a slow change of the
# target affects all levels alike.

LEVELS = (0.25, 0.5, 0.75, 1.0, 1.25)
"""Fractions of the requested rate."""
ROUNDS = 8
SEGMENT_S = 10.0
SHORTEST_S = 4.0
"""A segment needs whole seconds of its own to be counted in."""
FEWEST_ROUNDS = 2


def rate_blocks(rate: float | None, duration_s: float | None, seed: int) -> tuple[Segment, ...]:
    """Return the segments of a run that varies its rate at random.

    Args:
        rate: as requested; the segments offer 25 to 125% of it.
        duration_s: of all segments together; None: 5 levels, 8 rounds, 10 s each.
        seed: of the order.

    Raises:
        UsageError: there is no rate, or the duration is too short to show anything.
    """
    if rate is None:
        raise UsageError("--rate-blocks: no rate is given to vary", "Add --rate 200.")
    rounds, seconds = ROUNDS, SEGMENT_S
    if duration_s is not None:
        shortest = FEWEST_ROUNDS * len(LEVELS) * SHORTEST_S
        if duration_s < shortest:
            raise UsageError(
                f"--rate-blocks: {show_duration(duration_s)} is too short for {len(LEVELS)} rates"
                f" in {FEWEST_ROUNDS} rounds",
                f"Give --duration {show_duration(shortest)} or more, or remove it.",
            )
        fitting = int(duration_s / (len(LEVELS) * SHORTEST_S))
        rounds = max(min(fitting, ROUNDS), round(duration_s / (len(LEVELS) * SEGMENT_S)))
        seconds = duration_s / (rounds * len(LEVELS))
    random = Random(seed)  # noqa: S311 - an order, no secret
    orders = [random.sample(LEVELS, len(LEVELS)) for _ in range(rounds)]
    return tuple(Segment(rate * level, seconds) for order in orders for level in order)


TIME_WAIT_S = 60
"""How long a pair of addresses and ports stays taken (RFC 9293 section 3.6.1; fixed by Linux)."""
FIRST_RUN = Load(count=1000, concurrency=64, rate=50.0)
"""The load when no load option at all is given."""
CEILING_S = 900.0
"""Longest run for a goal (`--until`), unless `--max-duration` says otherwise."""
FILES_BESIDE = 128
"""Open files of one process besides its connections: event loop, pipes, library, run file."""
_MOST_IN_FLIGHT = 10_000
_MISS = 0.05
"""Chance that `--detect` misses a failure rate: 1 - 95%."""


def limits_of(request: Request) -> Limits:
    """Read the time limits; a stage without a limit of its own gets that of the attempt.

    Raises:
        UsageError: a limit is not a duration, or zero where that would end every attempt.
    """
    given = request.part("limits")
    attempt_s: float = given.get("attempt_s", Limits().attempt_s)
    chosen = dict.fromkeys(("connect_s", "hello_s", "handshake_s"), attempt_s) | given
    for stage in chosen.keys() - {"drain_s"}:
        chosen[stage] = min(chosen[stage], attempt_s)
    return Limits(**chosen)


def check_sweep(request: Request, plan: Plan) -> None:
    """Check that there is something to search for, and to vary.

    Raises:
        UsageError: there is no search, or only one kind of handshake.
    """
    swept = request.values("sweep", Sweep)
    if swept and request.find_limit is None:
        raise UsageError(
            "--sweep: there is no search for a limit",
            "Say which goals must hold: --find-limit 'p99.total<250ms, failing<0.1%'.",
        )
    if Sweep.CLIENTS in swept and len(plan.clients) == 1 and not plan.resumption:
        raise UsageError(
            f"--sweep clients: {plan.clients[0].name} is the only kind of handshake in this run",
            "Add a --client, such as --client rsa-only --client ecdsa-only, or --resumption 100%.",
        )


def amount_of(
    request: Request, machine: Machine, attempt_s: float, seed: int = 0
) -> tuple[Load, tuple[str, ...]]:
    """Read the load options; the second is what the report notes about them.

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
        longest_s = request.value("max_duration", float)
        # Evenly spaced: a limiter counts in short windows, and would refuse what bunches by chance.
        first = shaped(request, Load(None, longest_s, 1, rate, arrivals=Arrivals.CONSTANT))
        fitting = max(1, min(_MOST_IN_FLIGHT, cap - held_open(first)))
        return _spread(replace(first, concurrency=in_flight or fitting), processes, machine), ()
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
    load = shaped(request, Load(total, seconds, in_flight or 1, rate, segments))
    if in_flight is None:
        room = cap - held_open(load)
        in_flight, notes = _fitting_in_flight(highest(segments) or rate, attempt_s, room)
        load = replace(load, concurrency=in_flight)
    load = _spread(load, processes, machine)
    if load.count is not None and load.count < load.concurrency:
        fewer = min(load.processes, load.count)
        load = replace(load, concurrency=load.count, processes=fewer)
    return load, notes


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


def default_in_flight(rate: float | None, attempt_s: float) -> int:
    """Return the concurrency where none is given: in an open loop, what a silent target holds."""
    held = 0 if rate is None else math.ceil(rate * attempt_s)
    return min(max(held, FIRST_RUN.concurrency), _MOST_IN_FLIGHT)


def _fitting_in_flight(
    rate: float | None, attempt_s: float, cap: int
) -> tuple[int, tuple[str, ...]]:
    in_flight = max(1, min(default_in_flight(rate, attempt_s), cap))
    if rate is None or in_flight >= (held := math.ceil(rate * attempt_s)):
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


def ports_spent(load: Load) -> int | None:
    """Return how many ports the busiest minute uses; None: nothing bounds it."""
    by_rate = None if load.rate is None else math.ceil(load.rate * TIME_WAIT_S) + load.concurrency
    return min((n for n in (total_of(load), by_rate) if n is not None), default=None)
