"""Checks our own side: what of the client could have touched the measurement.

Notes become the summary's `validity.reasons`. A saturated generator makes latency and capacity
figures worthless, but not what was found about chains, so it is only noted. Two things make a run
invalid, because the figures are then of something other than the target: a generator that did not
send what it promised, and a rate limiter in the path that accounts for all failures.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic_ns

from stress.engine.checks.refusals import RateLimitDetector
from stress.host.addresses import is_loopback
from stress.host.clocks import ClockSteps
from stress.host.limits import reported_port_range
from stress.measure import Histogram
from stress.model.outcome import NOT_SENT, Category, Side
from stress.model.plan import Plan
from stress.model.record import Flag, Record
from stress.model.run import ONE_SOURCE
from stress.text.numbers import seconds

_PRUNED = ("PruneCalled", "RcvPruned", "TCPRcvQDrop")
"""Counters of the kernel for what a full receive buffer of a socket cost (proc(5), TcpExt)."""


@dataclass(frozen=True, slots=True)
class HostStats:
    """One reading. Counters are of the whole machine (its network namespace), since boot."""

    receive_drops: int | None = None
    """Times that a receive buffer or the queue before the sockets was full (counter)."""
    free_bytes: int | None = None
    """Memory that is available."""
    tracked: int | None = None
    """Connections in the packet filter's table."""
    tracked_limit: int | None = None
    """How many that table holds."""
    untracked: int | None = None
    """Packets that this table dropped because it was full (counter)."""
    waiting_ports: int | None = None
    """Sockets in TIME_WAIT, to whatever destination: each keeps a local port for 60 s."""
    local_ports: int | None = None
    """Ports that the kernel hands out, per local address and destination."""

    @classmethod
    def here(cls, root: Path = Path("/")) -> HostStats:
        """Read the kernel's counters; `root` is where its `proc` is."""
        proc = root / "proc"
        # TcpExt has one line of names and one of values.
        lines = _text(proc / "net/netstat").splitlines()
        extended = [line.split() for line in lines if line.startswith("TcpExt:")]
        counters = dict(zip(*extended, strict=False)) if len(extended) == 2 else {}
        drops = [int(counters[name]) for name in _PRUNED if counters.get(name, "").isdigit()]
        # The second column counts packets that found a processor's queue full.
        backlog = [line.split() for line in _text(proc / "net/softnet_stat").splitlines()]
        dropped = _hexadecimal_sum(backlog, [1])
        if dropped is not None:
            drops.append(dropped)
        columns, *processors = [
            line.split() for line in _text(proc / "net/stat/nf_conntrack").splitlines()
        ] or [[]]
        wanted = [columns.index(name) for name in ("drop", "early_drop") if name in columns]
        kibibytes = read_number(proc / "meminfo", r"\bMemAvailable:\s+(\d+)")
        ports = reported_port_range(root)
        return cls(
            receive_drops=sum(drops) if drops else None,
            free_bytes=None if kibibytes is None else kibibytes * 1024,
            tracked=read_number(proc / "sys/net/netfilter/nf_conntrack_count"),
            tracked_limit=read_number(proc / "sys/net/netfilter/nf_conntrack_max"),
            untracked=_hexadecimal_sum(processors, wanted),
            waiting_ports=read_number(proc / "net/sockstat", r"\btw (\d+)"),
            local_ports=None if ports is None else len(ports),
        )

    @property
    def many_ports_wait(self) -> bool:
        """Whether more than half of the local ports may be kept by connections of the past."""
        waiting, ports = self.waiting_ports, self.local_ports
        return waiting is not None and ports is not None and waiting > ports // 2

    @property
    def tracked_share(self) -> float:
        """How full the packet filter's table of connections is, 0 to 1; 0 where there is none."""
        return (self.tracked or 0) / self.tracked_limit if self.tracked_limit else 0.0


def increase(before: int | None, after: int | None) -> int:
    """Return how much a counter grew; 0 when it is not reported or was set back."""
    return 0 if before is None or after is None else max(0, after - before)


def read_number(file: Path, pattern: str = r"^(\d+)") -> int | None:
    """Find a number in a file; None when there is none."""
    found = re.search(pattern, _text(file))
    return int(found[1]) if found else None


def _hexadecimal_sum(lines: list[list[str]], columns: list[int]) -> int | None:
    """Add up columns of a table with one line a processor; None when there is nothing to add."""
    if not lines or not columns:
        return None
    try:
        return sum(int(words[column], 16) for words in lines for column in columns)
    except (IndexError, ValueError):
        return None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


LAG_LIMIT_US = 10_000
"""Above this 99th percentile of event-loop lag our own waiting is part of the latencies."""
STALL_LIMIT_US = 50_000
"""Only above this 99th percentile of lag, or with a busy core, may we have filled the concurrency
limit."""
TARGETS_SHARE = 0.5
"""And only where the target took less than this of the time that attempts were open."""
CPU_LIMIT = 0.95
"""Fraction of one core above which a worker cannot do more."""
NOT_SENT_LIMIT = 0.01
FEW_DROPS = 10
"""Other programs on a busy machine lose as much."""
LEAST_FREE_BYTES = 100_000_000
TABLE_LIMIT = 0.95
"""A table of connections that is fuller at the end of the run drops some of the next ones."""
SLOW_CANARY_NS = 100_000_000
"""A handshake over loopback that took longer waited for us."""
MOST_SAYINGS, SHOWN_SAYINGS = 100, 2
"""Distinct reasons of a proxy that are counted, and that are noted."""
_BY_PROXY = frozenset(category.value for category in Category if category.is_proxys)
FEWEST_CANARIES, CANARY_LIMIT = 3, 0.02
"""Fewer bad canaries than this, as a count or a fraction, show a moment and not the run."""


@dataclass(slots=True)
class CanaryStats:
    """Results of all canaries: handshakes with a known-good server on this machine."""

    good: int = 0
    slow: int = 0
    """Good, but above what loopback takes."""
    failed: int = 0
    slowest_ns: int = 0

    def add(self, totals_ns: Sequence[int | None]) -> None:
        """Count some; None: it failed."""
        for total_ns in totals_ns:
            if total_ns is None:
                self.failed += 1
            else:
                self.good += 1
                self.slow += total_ns > SLOW_CANARY_NS
                self.slowest_ns = max(self.slowest_ns, total_ns)

    def warning(self) -> str | None:
        """Say how far the client itself is to blame; None: not at all.

        Where no canary at all is good, this client cannot talk to the server: nothing is known.
        """
        probes, bad = self.good + self.failed, self.slow + self.failed
        if not self.good or bad < FEWEST_CANARIES or bad < CANARY_LIMIT * probes:
            return None
        return (
            f"client stalls: of {probes:,} handshakes with a known-good server on this machine,"
            f" {self.failed:,} failed and {self.slow:,} took over"
            f" {SLOW_CANARY_NS // 1_000_000} ms (up to {self.slowest_ns / 1e9:.1f} s);"
            " the target's figures contain as much"
        )


@dataclass(slots=True)
class RunValidity:
    """Collects what the workers report about themselves."""

    plan: Plan
    last_lag_ns: int = 0
    """Worst lag in the latest batch of any worker."""
    read_host: Callable[[], HostStats] = HostStats.here
    """Reads the kernel's counters."""
    invalid: bool = False
    """Set by `check`: the figures say nothing about the target."""
    reasons: list[str] = field(default_factory=list)
    """The notes so far."""
    clock_steps: ClockSteps = field(default_factory=ClockSteps)
    """Sampled several times a second."""
    canaries: CanaryStats = field(default_factory=CanaryStats)
    _lag: Histogram = field(default_factory=Histogram)
    _first_cpu: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Worker -> when it first reported its CPU time, and what; both in nanoseconds."""
    _busy: dict[int, float] = field(default_factory=dict)
    """Worker -> fraction of a core that it has used."""
    _host_before: HostStats = field(init=False)
    _rate_limit: RateLimitDetector | None = None
    """Only in an open loop, where the offered rate does not depend on the answers."""
    _client_stalls: int = 0
    """Attempts that were not sent because the client itself stalled."""
    _proxy_said: Counter[str] = field(default_factory=Counter)
    """Why there was no tunnel, and how often."""
    _sent: int = 0
    _total_ns: int = 0
    """How long all that were sent took together."""
    _target_ns: int = 0
    """How much of it was the target's."""

    def __post_init__(self) -> None:
        """Take the first reading, and note ports that earlier connections still occupy."""
        self._host_before = self.read_host()
        before = self._host_before
        if before.many_ports_wait:
            self.note(
                f"{before.waiting_ports:,} sockets of this machine were in TIME_WAIT when the run"
                f" began: each keeps one of the {before.local_ports:,} local ports from being"
                " used again towards its address, for up to 60 s"
            )
        load = self.plan.load
        if load.rate is not None or load.segments:
            self._rate_limit = RateLimitDetector()

    def add_records(self, records: Sequence[Record]) -> None:
        """Count rows as they were stored."""
        if self.plan.proxy is not None:
            for record in records:
                if record.outcome in _BY_PROXY and len(self._proxy_said) < MOST_SAYINGS:
                    self._proxy_said[record.detail or record.outcome] += 1
        if self._rate_limit is not None:
            self._rate_limit.add(records)
            for record in records:
                if record.outcome == NOT_SENT.name:
                    self._client_stalls += record.flags & Flag.LOCAL_PRESSURE > 0
                else:
                    self._sent += 1
                    self._total_ns += record.total_ns
                    self._target_ns += record.target_ns

    def add_worker_load(self, worker: int, lags_ns: Sequence[int], cpu_ns: int) -> None:
        """Record a worker's event-loop lag, and its CPU time so far."""
        self._lag.record_many(lags_ns)
        self.last_lag_ns = max(lags_ns, default=self.last_lag_ns)
        now_ns = monotonic_ns()
        since_ns, first_ns = self._first_cpu.setdefault(worker, (now_ns, cpu_ns))
        if now_ns - since_ns > 1_000_000_000:  # of less time a fraction says little
            self._busy[worker] = (cpu_ns - first_ns) / (now_ns - since_ns)

    def note(self, sentence: str) -> None:
        """Keep a sentence for the report, once."""
        if sentence not in self.reasons:
            self.reasons.append(sentence)

    def _invalidate(self, sentence: str) -> None:
        """Make the run invalid, for this reason before all others."""
        self.invalid = True
        self.reasons.insert(0, sentence)

    def check(self, sides: Counter[Side], ended: int, chains: int = 0) -> None:
        """At the end: note everything on our side that shows in the figures.

        Args:
            sides: attempts by who caused their outcome.
            ended: how many in all.
            chains: distinct chains that were seen.
        """
        self._check_generator(sides[Side.NOT_SENT], ended)
        self._check_host(ended)
        for said, times in self._proxy_said.most_common(SHOWN_SAYINGS):
            self.note(f"{said} ({times:,} times)" if times > 1 else said)
        # A search exceeds any limit on purpose, and judges each of its steps by itself.
        ceiling = self._rate_limit.ceiling() if self._rate_limit is not None else None
        if ceiling is not None:
            tell = self.note if self.plan.find_limit else self._invalidate
            tell(
                f"rate limited by something in the path: about {ceiling:,.0f}/s succeeded quickly"
                f" whatever was offered, and the other {sides[Side.TARGET]:,} were rejected at once"
            )
        # Load from one address to one address may all have met the same node.
        addresses = self.plan.addresses
        alone = len(self.plan.sources) <= 1 and len(addresses) == 1 and chains == 1
        loopback = all(is_loopback(address.ip) for address in addresses)
        if ended and alone and self._rate_limit is not None and not loopback:
            self.note(
                f"{ONE_SOURCE}: all load came from one source address;"
                " a balancer that hashes it sends everything to one node (see --source)"
            )

    def _check_generator(self, not_sent: int, ended: int) -> None:
        """Check that the workers sent what was due, and were not late themselves."""
        lag_us = self._lag.percentile(99) or 0.0
        busiest = max(self._busy.values(), default=0.0)
        if ended and not_sent / ended > NOT_SENT_LIMIT:
            told = f"{not_sent:,} of {ended:,} attempts were due but not sent"
            slow = lag_us > STALL_LIMIT_US or busiest > CPU_LIMIT
            # A place is open for as long as its attempt takes: who took that time filled them all.
            filled = slow and self._target_ns <= TARGETS_SHARE * self._total_ns
            stalls = self._client_stalls
            ours = filled or stalls > not_sent / 2
            # A search exceeds what is possible on purpose, and judges each step by itself.
            if ours and not self.plan.find_limit:
                self._invalidate(f"generator-limited: {told}: this machine could not keep up")
            else:
                load = self.plan.load
                told += f": concurrency limit ({load.concurrency:,}) reached"
                # How many places the target's own time needs at the offered rate (Little's law).
                mean_s = self._target_ns / self._sent / 1e9 if self._sent else 0.0
                needed = (load.rate or 0.0) * mean_s
                if not load.segments and not self.plan.find_limit and needed >= load.concurrency:
                    told += f": the target takes {seconds(mean_s)} on average,"
                    told += f" so {load.rate:,.12g}/s keeps {needed:,.0f} open at once"
                told += f"; {stalls:,} of them because this machine stalled" if stalls else ""
                self.note(told)
        warning = self.canaries.warning()
        if warning is not None:
            self.note(warning)
        if lag_us > LAG_LIMIT_US:
            self.note(
                f"load generator saturated: client event-loop lag: p99 {lag_us / 1000:.0f} ms;"
                " connect, handshake and total latencies include it"
            )
        if busiest > CPU_LIMIT:
            self.note(
                f"load generator saturated: a worker used {busiest:.0%} of a core;"
                " the rate reached is the client's limit, not the target's"
            )

    def _check_host(self, ended: int) -> None:
        """Compare the kernel's counters with those of the beginning."""
        before, now = self._host_before, self.read_host()
        drops = increase(before.receive_drops, now.receive_drops)
        if drops > FEW_DROPS + ended / 1000:
            self.note(
                f"a receive queue of this machine was full {drops:,} times during the run"
                " (all programs): some answers arrived late or were sent again because of us"
            )
        if now.free_bytes is not None and now.free_bytes < LEAST_FREE_BYTES:
            self.note(f"memory was nearly exhausted: {now.free_bytes / 1e6:.0f} MB were left")
        dropped = increase(before.untracked, now.untracked)
        if dropped or now.tracked_share > TABLE_LIMIT:
            self.note(
                f"the connection tracking table of this machine was full ({dropped:,} packets"
                " dropped): SYNs were lost here (see nf_conntrack_max)"
            )
        if self.clock_steps.largest_ns:
            self.note(
                f"the clock was set by {self.clock_steps.largest_ns / 1e9:+.2f} s during the run,"
                " or the machine was suspended; times of day before and after do not match"
            )

    @property
    def lag_p99_ns(self) -> int | None:
        """99th percentile of the event loops' lag over the whole run."""
        lag_us = self._lag.percentile(99)
        return None if lag_us is None else int(lag_us * 1000)
