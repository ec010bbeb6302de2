"""The engine doubts itself: what of our own doing could have touched the measurement.

Notes become the summary's `validity.reasons`. A saturated generator voids claims about latency and
capacity, not about chains, so that is only said. Two things make a run invalid, because then the
figures are of something else than the target: a generator that did not send what it had promised,
and a rate limiter in the path that is all that failed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from time import monotonic_ns, time_ns

from stress.engine.checks.host_stats import Clocks, HostStats, more
from stress.engine.checks.rate_limit_detector import RateLimitDetector
from stress.measure import Histogram
from stress.model.outcome import NOT_SENT, Side
from stress.model.plan import Plan
from stress.model.record import Flag, Record
from stress.model.target import Address

# What the canaries of all workers say together: how much of what we see is our own stalling.
#
# A canary is a handshake with a known-good server on this machine (see
# `stress.engine.worker.canary`).

SLOW_NS = 100_000_000
"""A handshake over loopback that took longer waited for us."""
FEWEST = 3
SHARE = 0.02
"""Fewer bad ones than this say nothing: a moment is not the run."""


@dataclass(slots=True)
class Canaries:
    """What became of all of them, in the parent."""

    good: int = 0
    slow: int = 0
    """Good, but above what loopback takes."""
    failed: int = 0
    slowest_ns: int = 0

    def take(self, totals_ns: Sequence[int | None]) -> None:
        """Count some; None: it failed."""
        for total_ns in totals_ns:
            if total_ns is None:
                self.failed += 1
            else:
                self.good += 1
                self.slow += total_ns > SLOW_NS
                self.slowest_ns = max(self.slowest_ns, total_ns)

    def doubt(self) -> str | None:
        """What they say against us; None: nothing.

        Where none at all is good, this client cannot talk to the canary, and nothing is known.
        """
        asked, bad = self.good + self.failed, self.slow + self.failed
        if not self.good or bad < FEWEST or bad < SHARE * asked:
            return None
        return (
            f"stalls of our own: of {asked:,} handshakes with a healthy server on this machine,"
            f" {self.failed:,} failed and {self.slow:,} took over {SLOW_NS // 1_000_000} ms"
            f" (up to {self.slowest_ns / 1e9:.1f} s); as much of the target's figures is ours"
        )


LAG_LIMIT_US = 10_000
"""Above this 99th percentile of event-loop lag our own waiting is part of the latencies."""
CPU_LIMIT = 0.95
"""Share of one core above which a worker cannot do more."""
NOT_SENT_LIMIT = 0.01
STALL_LIMIT_US = 50_000
"""Above this 99th percentile of lag it was we who kept the places taken, not the target."""
FEW_DROPS = 10
"""Other programs on a busy machine lose as much."""
LEAST_FREE_BYTES = 100_000_000
TABLE_LIMIT = 0.95
"""A table of connections that is fuller at the end of the run drops some of the next ones."""


@dataclass(slots=True)
class RunValidity:
    """Collects what the workers say of themselves."""

    plan: Plan
    last_lag_ns: int = 0
    """Worst lag in the latest batch of any worker."""
    vitals: Callable[[], HostStats] = HostStats.here
    """Reads what the kernel counts."""
    _lag: Histogram = field(default_factory=Histogram)
    _first_cpu: dict[int, tuple[int, int]] = field(default_factory=dict)
    _last_cpu: dict[int, tuple[int, int]] = field(default_factory=dict)
    _notes: list[str] = field(default_factory=list)
    _at_first: HostStats = field(init=False)
    _clocks: Clocks = field(default_factory=Clocks)
    _throttle: RateLimitDetector | None = None
    """Only in an open loop, where what is offered does not depend on the answers."""
    _stood_still: int = 0
    _canaries: Canaries = field(default_factory=Canaries)
    invalid: bool = False
    """Set by `check`: the figures say nothing about the target."""

    def __post_init__(self) -> None:
        """Take the first reading; watch for a limiter where one can be told."""
        self._at_first = self.vitals()
        self._check_ports()
        load = self.plan.load
        if load.rate is not None or load.segments:
            self._throttle = RateLimitDetector()

    def _check_ports(self) -> None:
        """Tell beforehand when earlier connections still keep most of the local ports."""
        waiting, there = self._at_first.waiting_ports, self._at_first.local_ports
        if waiting is not None and there is not None and waiting > there // 2:
            self.note(
                f"{waiting:,} sockets of this machine were in TIME_WAIT when the run began: those"
                f" of an earlier run keep that many of the {there:,} local ports for 60 s"
            )

    def saw(self, records: Sequence[Record]) -> None:
        """The rows as they were kept."""
        if self._throttle is not None:
            self._throttle.take(records)
            self._stood_still += sum(
                record.outcome == NOT_SENT.name and record.flags & Flag.LOCAL_PRESSURE > 0
                for record in records
            )

    def look(self) -> None:
        """Compare the clocks; several times a second."""
        self._clocks.look(time_ns(), monotonic_ns())

    def sang(self, totals_ns: Sequence[int | None]) -> None:
        """How long a known-good server took; None: it failed."""
        self._canaries.take(totals_ns)

    def heard(self, worker: int, lags_ns: Sequence[int], cpu_ns: int) -> None:
        """A worker's report: how late its loop woke up, and its CPU time so far."""
        self._lag.record_many(lags_ns)
        self.last_lag_ns = max(lags_ns, default=self.last_lag_ns)
        self._first_cpu.setdefault(worker, (monotonic_ns(), cpu_ns))
        self._last_cpu[worker] = (monotonic_ns(), cpu_ns)

    def lost_worker(self, worker: int, in_flight: int) -> None:
        """A worker died before it was done."""
        self.note(
            f"worker {worker} died: the {in_flight:,} attempts it had in flight are lost,"
            " and what it had still to start was not started"
        )

    def joined(self, address: Address) -> None:
        """The name got a new address in mid-run."""
        self.note(f"{address} joined: the name was resolved again and had a new address")

    def note(self, sentence: str) -> None:
        """Keep a sentence for the report, once."""
        if sentence not in self._notes:
            self._notes.append(sentence)

    def _void(self, sentence: str) -> None:
        """Make the run invalid, for this reason before all others."""
        self.invalid = True
        self._notes.insert(0, sentence)

    def check(self, sides: Counter[Side], ended: int, chains: int = 0) -> None:
        """At the end: say what of our own doing shows in the figures.

        Args:
            sides: how many attempts ended by whose doing.
            ended: how many in all.
            chains: distinct chains that were met.
        """
        self._check_starts(sides[Side.NOT_SENT], ended)
        self._check_path(sides)
        self._check_loops()
        self._check_machine(self.vitals(), ended)
        self._check_source(ended, chains)

    def _check_starts(self, not_sent: int, ended: int) -> None:
        """Tell what was due and not sent: by our doing, or because a slow target filled the cap."""
        if not ended or not_sent / ended <= NOT_SENT_LIMIT:
            return
        told = f"{not_sent:,} of {ended:,} starts were due and not sent"
        # A search goes beyond what is possible on purpose, and judges each of its steps by itself.
        if self._is_ours(ended) and not self.plan.find_limit:
            self._void(f"generator limited: {told}, because this machine could not keep up")
        else:
            cap = self.plan.load.concurrency
            self.note(f"{told}: all {cap:,} places were taken by attempts without an end yet")

    def _is_ours(self, ended: int) -> bool:
        lag_us = self._lag.percentile(99) or 0.0
        held_up = lag_us > STALL_LIMIT_US or self._busiest() > CPU_LIMIT
        return held_up or self._stood_still / ended > NOT_SENT_LIMIT

    def _check_path(self, sides: Counter[Side]) -> None:
        """Tell a rate limiter; it makes no run of a search invalid, which goes above any limit."""
        ceiling = self._throttle.ceiling() if self._throttle is not None else None
        if ceiling is None:
            return
        tell = self.note if self.plan.find_limit else self._void
        tell(
            f"rate limited by something in the path: about {ceiling:,.0f}/s got through whatever"
            f" was offered, quickly, and the other {sides[Side.TARGET]:,} were turned away at once"
        )

    def _check_loops(self) -> None:
        doubt = self._canaries.doubt()
        if doubt is not None:
            self.note(doubt)
        lag_us = self._lag.percentile(99)
        if lag_us is not None and lag_us > LAG_LIMIT_US:
            self.note(
                f"generator saturated: our event loops woke up {lag_us / 1000:.0f} ms late"
                " (99th percentile); connect, handshake and total latencies contain that wait"
            )
        busiest = self._busiest()
        if busiest > CPU_LIMIT:
            self.note(
                f"generator saturated: a worker used {busiest:.0%} of a core;"
                " the rate reached is ours, not the target's limit"
            )

    def _check_machine(self, now: HostStats, ended: int) -> None:
        drops = more(self._at_first.receive_drops, now.receive_drops)
        if drops > FEW_DROPS + ended / 1000:
            self.note(
                f"a receive queue of this machine was full {drops:,} times during the run"
                " (all programs): some answers came late or again because of us"
            )
        if now.free_bytes is not None and now.free_bytes < LEAST_FREE_BYTES:
            self.note(f"memory was nearly used up: {now.free_bytes / 1e6:.0f} MB were left")
        self._check_table(now)
        if self._clocks.jumped_ns:
            self.note(
                f"the clock was set by {self._clocks.jumped_ns / 1e9:+.2f} s during the run, or the"
                " machine slept; times of day before and after it do not fit together"
            )

    def _check_table(self, now: HostStats) -> None:
        """Tell when the packet filter of this machine could not follow all connections."""
        dropped = more(self._at_first.untracked, now.untracked)
        if dropped or (now.tracked_share or 0.0) > TABLE_LIMIT:
            self.note(
                f"the connection tracking table of this machine was full ({dropped:,} packets"
                " dropped): SYNs got lost here (see nf_conntrack_max)"
            )

    def _check_source(self, ended: int, chains: int) -> None:
        """A load from one address to one address may all have met the same node."""
        alone = len(self.plan.sources) <= 1 and len(self.plan.addresses) == 1 and chains == 1
        if ended and alone and self._throttle is not None and not self._targets_us():
            self.note(
                "one-source: all load came from one source address;"
                " a balancer that hashes it sends everything to one node (see --source)"
            )

    def _targets_us(self) -> bool:
        return all(ip_address(address.ip).is_loopback for address in self.plan.addresses)

    def _busiest(self) -> float:
        return max((self._cpu_share(worker) for worker in self._last_cpu), default=0.0)

    def _cpu_share(self, worker: int) -> float:
        (begun, first), (ended, last) = self._first_cpu[worker], self._last_cpu[worker]
        return (last - first) / (ended - begun) if ended - begun > 1_000_000_000 else 0.0

    @property
    def reasons(self) -> tuple[str, ...]:
        """The notes so far."""
        return tuple(self._notes)

    @property
    def lag_p99_ns(self) -> int | None:
        """99th percentile of the event loops' lag over the whole run."""
        lag_us = self._lag.percentile(99)
        return None if lag_us is None else int(lag_us * 1000)
