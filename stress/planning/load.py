"""How much is asked and how fast, read into `Load`, and fitted to this machine.

What is true:

* Without any load option a run is small enough for a target that nobody gave leave for.
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
from stress.model.plan import Limits, Load, Segment, Sweep
from stress.planning.load_shapes import held_open, highest, rate_blocks, shaped, stretches_of
from stress.planning.request import Request
from stress.text.suggestions import chosen
from stress.text.units import (
    count,
    duration_s,
    named,
    option,
    positive_count,
    positive_duration_s,
    rate_per_s,
    share,
    show_duration,
    show_rate,
)

# What a search for the limit goes through in one run.


def sweep_of(request: Request) -> tuple[Sweep, ...]:
    """Read what is swept over.

    Raises:
        UsageError: it is none, or nothing is searched for.
    """
    swept = tuple(
        dict.fromkeys(
            named("--sweep", lambda word: chosen(Sweep, word), word) for word in request.sweep
        )
    )
    if swept and request.find_limit is None:
        raise UsageError(
            "--sweep: no limit is searched for",
            "Say what shall hold: --find-limit 'p99.total<250ms, failing<0.1%'.",
        )
    return swept


def check_kinds(swept: Sequence[Sweep], clients: Sequence[Client], resumption: float) -> None:
    """Look whether there is more than one kind of handshake to go through.

    Raises:
        UsageError: there is one.
    """
    if Sweep.CLIENTS in swept and len(clients) == 1 and not resumption:
        raise UsageError(
            f"--sweep clients: {clients[0].name} is the only kind of handshake that is asked",
            "Add a --client, such as --client rsa-only --client ecdsa-only, or --resumption 100%.",
        )


FIRST_RUN = Load(count=1000, concurrency=64, rate=50.0)
"""What is done when no load option at all is given."""
CEILING_S = 900.0
"""Longest run for a goal (`--until`), unless `--max-duration` says otherwise."""
FILES_BESIDE = 128
"""Open files of one process besides its connections: event loop, pipes, library, run file."""
_MOST_IN_FLIGHT = 10_000
_MISS = 0.05
"""Chance that `--detect` overlooks a share: 1 - 95%."""


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
        attempt_s: the longest that one attempt may take.
        seed: of whatever is drawn by chance.

    Raises:
        UsageError: an option is no amount, nothing would be sent, or it does not fit.
    """
    total, seconds = _how_long(request)
    rate = option("--rate", rate_per_s, request.rate)
    in_flight = option("--concurrency", positive_count, request.concurrency)
    swept = sweep_of(request)
    if request.find_limit is not None:
        rate = None if Sweep.CONCURRENCY in swept else rate or FIRST_RUN.rate
        return _search(request, machine, rate, in_flight)
    segments = stretches_of(request)
    if segments:
        rate = highest(segments)
    elif (total, seconds, request.rate, in_flight) == (None, None, None, None):
        rate, in_flight = FIRST_RUN.rate, FIRST_RUN.concurrency
    segments = segments or _segments(request, rate, seconds, seed)
    if segments:
        seconds = sum(segment.seconds for segment in segments)
    if total is None and seconds is None and not request.until:
        total = FIRST_RUN.count
    seconds = _within_ceiling(request, seconds)
    notes: tuple[str, ...] = ()
    processes = option("--processes", positive_count, request.processes)
    if in_flight is None:
        cap = _most_in_flight(machine, processes or machine.cores)
        in_flight, notes = _default_in_flight(highest(segments) or rate, attempt_s, cap)
    load = shaped(request, Load(total, seconds, in_flight, rate, segments))
    load = _spread(load, processes, machine)
    return Amount(_no_more_than_count(load), notes)


def _segments(
    request: Request, rate: float | None, seconds: float | None, seed: int
) -> tuple[Segment, ...]:
    """Return the stretches of a run that varies its rate; none when it does not."""
    if not request.rate_blocks:
        return ()
    if rate is None:
        raise UsageError("--rate-blocks: no rate is given to vary", "Add --rate 200.")
    if request.count is not None or request.detect is not None:
        raise UsageError(
            "--rate-blocks runs by time, not by count",
            "Leave --count and --detect out; give --duration 2m, or nothing for 400 s.",
        )
    return rate_blocks(rate, seconds, seed)


def _within_ceiling(request: Request, seconds: float | None) -> float | None:
    """Return the duration under the ceiling, which a run with a goal always has."""
    ceiling = option("--max-duration", positive_duration_s, request.max_duration)
    if ceiling is None and request.until:
        ceiling = CEILING_S
    limits = [each for each in (seconds, ceiling) if each is not None]
    return min(limits, default=None)


def _search(
    request: Request, machine: Machine, rate: float | None, in_flight: int | None
) -> Amount:
    """Return the load of a search for the limit: what its first step offers; it has no end.

    Without a rate it is the concurrency that is searched for.
    """
    if request.count is not None or request.duration is not None or request.until:
        raise UsageError(
            "--find-limit ends by itself: it takes neither --count, --duration nor --until",
            "Leave them out; --rate is where the search begins.",
        )
    processes = option("--processes", positive_count, request.processes)
    cap = min(_MOST_IN_FLIGHT, _most_in_flight(machine, processes or machine.cores))
    load = shaped(request, Load(None, None, in_flight or cap, rate))
    return Amount(_spread(load, processes, machine))


def sample_size(failing: float) -> int:
    """Return how many independent attempts show a failing share at least once with 95%.

    The smallest n with (1 - share)^n <= 0.05.

    Raises:
        UsageError: the share is not above 0 and below 1.
    """
    if not 0 < failing < 1:
        raise UsageError(f"a share of {failing:g} cannot be searched for", "Write 0.1%.")
    return math.ceil(math.log(_MISS) / math.log1p(-failing))


def files_needed(load: Load) -> int:
    """Return how many open files the busiest process needs."""
    return math.ceil((load.concurrency + held_open(load)) / load.processes) + FILES_BESIDE


def _how_long(request: Request) -> tuple[int | None, float | None]:
    """Return count and duration, None where one does not limit the run."""
    total = option("--count", count, request.count)
    seconds = option("--duration", duration_s, request.duration)
    detecting = option("--detect", lambda text: sample_size(share(text)), request.detect)
    if detecting is not None:
        if total is not None:
            raise UsageError(
                "--detect and --count both say how many handshakes are opened",
                "Leave one of them out.",
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


def _most_in_flight(machine: Machine, processes: int) -> int:
    if machine.open_files is None:
        return _MOST_IN_FLIGHT
    return max(1, (machine.open_files - FILES_BESIDE) * processes)


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
    chosen = processes or min(machine.cores, load.concurrency)
    spread = replace(load, processes=chosen)
    needed = files_needed(spread)
    if machine.open_files is not None and needed > machine.open_files:
        raise _too_many_files(spread, machine.open_files)
    return spread


def _no_more_than_count(load: Load) -> Load:
    if load.count is None or load.count >= load.concurrency:
        return load
    return replace(load, concurrency=load.count, processes=min(load.processes, load.count))


def _too_many_files(load: Load, limit: int) -> UsageError:
    """Return the error that says how many files are allowed, and how to allow more."""
    needed, held = files_needed(load), held_open(load)
    fitting = max(0, (limit - FILES_BESIDE) * load.processes - held)
    holding = f" and {held:,} held open" if held else ""
    return UsageError(
        f"--concurrency: {load.concurrency:,} in flight{holding} need {needed:,} open files a"
        f" process; {limit:,} are allowed",
        f"{fitting:,} would fit. To allow more: ulimit -Hn {needed} as root, LimitNOFILE={needed}\n"
        f"in a systemd unit, or docker run --ulimit nofile={needed}.",
    )


# How long an attempt and each of its stages may take, read into `Limits`.

_DEFAULT = Limits()


def limits_of(request: Request) -> Limits:
    """Read the time limits; a stage without one of its own may take the whole attempt's.

    Raises:
        UsageError: a limit is no duration, or zero where that would end every attempt.
    """
    attempt = option("--timeout", positive_duration_s, request.timeout) or _DEFAULT.attempt_s
    after = option("after-handshake", duration_s, request.after_handshake)
    return Limits(
        attempt_s=attempt,
        connect_s=_stage("connect-timeout", request.connect_timeout, attempt),
        hello_s=_stage("hello-timeout", request.hello_timeout, attempt),
        handshake_s=_stage("handshake-timeout", request.handshake_timeout, attempt),
        after_handshake_s=_DEFAULT.after_handshake_s if after is None else min(after, attempt),
    )


def _stage(name: str, text: str | None, attempt_s: float) -> float:
    seconds = option(name, positive_duration_s, text)
    return attempt_s if seconds is None else min(seconds, attempt_s)
