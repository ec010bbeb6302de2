"""Recounts what a report claims from the rows of its run, by other code than the one that claims.

Only the meaning of the words is shared: a condition is about an attribute of a row, a count is of
rows, and our own failures and what was not sent count nowhere.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from stress.codes.names import NAMES
from stress.model.outcome import Outcome, Side, Stage
from stress.model.record import Record
from stress.model.summary import FAILURE, LATENCY, Cause, Comparator, Condition, Summary
from stress.store import RunFile
from stress.trust import describe, name_of

_DAY = 86_400
_UNSEEN = frozenset({"local_port", "backend"})
"""Dimensions whose conditions are no function of one row."""


def untrue(run: RunFile, summary: Summary) -> list[str]:
    """Every claim that the rows contradict, in words; empty when the report is honest."""
    return list(_Rows(run).check(summary))


class _Rows:
    """The attempts of a run, and how each attribute of them reads."""

    def __init__(self, run: RunFile) -> None:
        self.facts, self.all = run.facts(), list(run.records())
        self.addresses = run.addresses()
        self.chains = {chain.sha256: chain for chain in run.chains()}
        self.block_ns = run.cube().block_ns
        self.rows = [row for row in self.all if _side(row) in {Side.NOBODY, Side.TARGET}]
        self.failed = [row for row in self.rows if _side(row) is Side.TARGET]

    def check(self, summary: Summary) -> Iterator[str]:
        yield from _differ("attempts", summary.attempts, len(self.rows))
        yield from _differ("failures", summary.failures.count, len(self.failed))
        counted = Counter(row.outcome for row in self.failed)
        yield from _differ("categories", dict(summary.failures.categories), dict(counted))
        for category, stages in summary.failures.stages.items():
            mine = Counter(Stage(r.stage).label for r in self.failed if r.outcome == category)
            yield from _differ(f"stages of {category}", dict(stages), dict(mine))
        share = len(self.failed) / len(self.rows) if self.rows else 0.0
        yield from _differ("share", summary.failures.share, share)
        finished = sum(row.stage >= Stage.FINISHED for row in self.rows)
        yield from _differ("completed", summary.completed, finished)
        sides = Counter(map(_side, self.all))
        yield from _differ("ours", summary.ours, sides[Side.OURS])
        yield from _differ("not sent", summary.not_sent, sides[Side.NOT_SENT])
        failing = [cause for cause in summary.causes if cause.kind == FAILURE]
        explained = sum(cause.failures for cause in failing)
        yield from _differ(
            "causes + unexplained", explained + summary.unexplained.failures, len(self.failed)
        )
        if summary.unexplained.failures < 0:
            yield f"{summary.unexplained.failures} unexplained"
        yield from self.check_places(summary)
        for rank, cause in enumerate(summary.causes):
            yield from self.check_cause(cause, summary.causes[:rank])
        yield from self.check_sentences(summary)
        yield from self.check_time(summary)
        yield from self.check_goals(summary)

    def check_places(self, summary: Summary) -> Iterator[str]:
        """Addresses, chains and latencies."""
        for line, index in zip(summary.addresses, range(len(self.addresses)), strict=True):
            here = [row for row in self.rows if row.address == index]
            yield from _differ(f"attempts at {line.address}", line.attempts, len(here))
            failures = sum(_side(row) is Side.TARGET for row in here)
            yield from _differ(f"failures at {line.address}", line.failures, failures)
        seen = Counter(row.chain.hex() for row in self.all if row.chain is not None)
        yield from _differ("chains", {one.sha256: one.seen for one in summary.chains}, dict(seen))
        for one in summary.chains:
            yield from _differ(f"share of {one.sha256}", one.share, one.seen / seen.total())
        slowest = max((r.total_ns for r in self.rows if r.outcome == "ok"), default=None)
        shown = summary.latency["total"].max if "total" in summary.latency else None
        if (slowest is None) != (shown is None) or (
            slowest and shown and abs(shown - slowest / 1e3) > 2 + 0.01 * shown
        ):
            yield f"slowest {shown} us, in the rows {slowest} ns"

    def check_cause(self, cause: Cause, earlier: Sequence[Cause]) -> Iterator[str]:
        """Failures, attempts, precision and recall against the conditions."""
        if {one.dimension for one in cause.conditions} & _UNSEEN:
            return
        name = f"cause {cause.rank} ({' and '.join(map(str, cause.conditions)) or 'chain alone'})"
        mine = [row for row in self.rows if self.kind(row, cause)]
        there = [row for row in self.rows if self.meets(row, cause.conditions)]
        if cause.kind == LATENCY:
            yield from self.check_latency(name, cause, there)
            return
        if cause.kind != FAILURE:
            yield from self.check_difference(name, cause)
            return
        own = [row for row in there if self.kind(row, cause)]
        if cause.conditions:
            attempts, failed = len(there), len(own)
        else:  # the chain decides: all that received it
            received = [row for row in self.rows if self.mechanism(row, cause)]
            attempts, failed = len(received), sum(self.kind(row, cause) for row in received)
        alike = [one for one in earlier if (one.category, one.mechanism) == _kind(cause)]
        alike = [one for one in alike if one.conditions]
        first = [row for row in own if not any(self.meets(row, o.conditions) for o in alike)]
        yield from _differ(f"failures of {name}", cause.failures, len(first))
        yield from _differ(f"attempts of {name}", cause.attempts, attempts)
        yield from _differ(f"precision of {name}", cause.precision, failed / max(1, attempts))
        held = cause.interval and cause.interval.low <= cause.precision <= cause.interval.high
        yield from _differ(f"precision in the interval of {name}", held, True)
        explained = len(own) if cause.conditions else len(first)
        yield from _differ(f"recall of {name}", cause.recall, explained / max(1, len(mine)))
        for other in alike:
            both = [
                row
                for row in own
                if self.meets(row, other.conditions)
                and not any(self.meets(row, o.conditions) for o in alike[: alike.index(other)])
            ]
            said = re.search(rf"([\d,]+) of them also match cause {other.rank}\b", cause.sentence)
            told = int(said[1].replace(",", "")) if said else 0
            yield from _differ(f"overlap of {name} with cause {other.rank}", told, len(both))
        for way in cause.aliases:
            if not {one.dimension for one in way} & _UNSEEN:
                same = [row for row in mine if self.meets(row, way)]
                yield from _differ(f"alias {way} of {name}", len(same), len(own))
        for words, counts in (("there", (failed, attempts)), ("elsewhere", None)):
            for found in re.finditer(rf"([\d,]+) of ([\d,]+) \([^)]*\) {words}", cause.sentence):
                figures = tuple(int(one.replace(",", "")) for one in found.groups())
                rest = (len(mine) - failed, len(self.rows) - attempts)
                yield from _differ(f"'{words}' of {name}", figures, counts or rest)

    def check_latency(self, name: str, cause: Cause, there: Sequence[Record]) -> Iterator[str]:
        """How many good handshakes are there, and how long they took beside the others."""
        if cause.failures or cause.precision or cause.recall:
            yield f"{name} is about latency and has failures"
        good = [row for row in self.rows if row.outcome == "ok"]
        if cause.latency is None or not cause.conditions:
            return
        inside = [row for row in there if row.outcome == "ok"]
        yield from _differ(f"attempts of {name}", cause.attempts, len(inside))
        others = [row for row in good if row not in set(inside)]
        for told, rows in ((cause.latency.there_us, inside), (cause.latency.elsewhere_us, others)):
            took = sorted((row.connect_ns or 0) + (row.server_ns or 0) for row in rows)
            place = min(len(took) - 1, int(cause.latency.percentile / 100 * len(took)))
            if abs(told - took[place] / 1e3) > 1:
                yield f"{name} took {told} us, the rows say {took[place]} ns"

    def check_difference(self, name: str, cause: Cause) -> Iterator[str]:
        """How many good handshakes were given the odd answer."""
        if cause.mechanism is None or cause.mechanism.dimension == "chain":
            return
        odd = set(cause.mechanism.text.split(" or "))
        asked = [row for row in self.rows if row.outcome == "ok"]
        if cause.mechanism.dimension == "resumed":
            asked = [row for row in asked if row.offered]
        met = [self.value(row, cause.mechanism.dimension) or "none" for row in asked]
        if len(self.facts.plan.clients) == 1 and cause.mechanism.dimension in {"alpn", "resumed"}:
            given = sum(value in odd for value in met)
            yield from _differ(f"attempts of {name}", cause.attempts, given)

    def check_sentences(self, summary: Summary) -> Iterator[str]:
        """The numbers of the ten lines."""
        lines = summary.lines
        if found := re.match(r"([\d,]+) of ([\d,]+) handshakes?", lines.verdict):
            told = tuple(int(one.replace(",", "")) for one in found.groups())
            yield from _differ("verdict", told, (len(self.failed), len(self.rows)))
        if found := re.match(r"([\d,]+) distinct chains", lines.what):
            yield from _differ("what", int(found[1].replace(",", "")), len(self.chains))
        if "each seen once" in lines.what and any(one.seen != 1 for one in summary.chains):
            yield "not every chain was seen once"
        for found in re.finditer(r"([\d,]+) of the ([\d,]+) failures are", lines.where):
            told = tuple(int(one.replace(",", "")) for one in found.groups())
            if told[0] > told[1] or told[1] > len(self.failed):
                yield f"'{found[0]}' of {len(self.failed)} failures"
        if found := re.search(r"gets through: ([\d,]+) attempts? failed", lines.where):
            good = [row.started_ns for row in self.rows if row.outcome == "ok"]
            later = sum(row.started_ns > max(good) for row in self.rows)
            yield from _differ(found[0], int(found[1].replace(",", "")), later)
        for found in re.finditer(r"All ([\d,]+) failures are", lines.where):
            yield from _differ(found[0], int(found[1].replace(",", "")), len(self.failed))

    def check_time(self, summary: Summary) -> Iterator[str]:
        """Duration and rate, from the first to the last attempt."""
        if not self.all or self.facts.ended_ns is None:
            return
        load = self.facts.plan.load
        scheduled = bool(load.rate or load.segments)
        ends = [row.due_ns + (0 if scheduled else row.total_ns) for row in self.all]
        span_ns = max(ends) - min(row.due_ns for row in self.all)
        if span_ns <= 0:
            return
        lasted = max(0, span_ns - self.facts.stood_ns) / 1e9
        yield from _differ("duration", round(summary.run.duration_s, 6), round(lasted, 6))
        if (found := re.search(r"\(([\d,]+)/s\)", summary.lines.whence)) and lasted:
            rate = len(self.rows) / lasted
            yield from _differ("rate", found[1], f"{rate:,.0f}")

    def check_goals(self, summary: Summary) -> Iterator[str]:
        """Goals about the failure rate against the interval that is shown beside them."""
        share, interval = len(self.failed) / max(1, len(self.rows)), summary.failures.interval
        for one in summary.assertions:
            found = re.match(r"failing([<>])([\d.]+)%( for)?", one.expression)
            if found is None:
                continue
            limit = float(found[2]) / 100
            below, above = interval.high < limit, interval.low > limit
            wanted, refuted = (below, above) if found[1] == "<" else (above, below)
            if not found[3] or one.holds != "unknown":
                told = "yes" if wanted else "no" if refuted else "unknown"
                yield from _differ(one.expression, one.holds, told)
            if self.rows:
                yield from _differ(f"value of {one.expression}", one.value, share)
            if one.seen_s is not None:
                yield from _differ("seen", one.seen_s, summary.run.duration_s)
                outages = f"{one.seen_s:.0f} s seen" if 10 <= one.seen_s < 120 else "s seen"
                if outages not in summary.headline or not below:
                    yield f"{one.expression} is said of the time seen"
            elif below and one.holds != "unknown" and summary.run.duration_s:
                yield f"{one.expression} is not said of the time seen"
            if one.needed is not None and f"about {one.needed:,} more" not in summary.headline:
                yield f"{one.needed} more handshakes are not in {summary.headline!r}"
        per_second = Counter(row.due_ns // 10**9 for row in self.failed)
        if summary.failures.too_few and max(per_second.values()) < 2:
            yield "failures did not come together"

    def mechanism(self, row: Record, cause: Cause) -> bool:
        return cause.mechanism is None or self.meets(row, (cause.mechanism,))

    def kind(self, row: Record, cause: Cause) -> bool:
        """Whether a row is a failure of the kind that the cause is about."""
        return row.outcome == cause.category and self.mechanism(row, cause)

    def meets(self, row: Record, conditions: Sequence[Condition]) -> bool:
        return all(self.meets_one(row, one) for one in conditions)

    def meets_one(self, row: Record, one: Condition) -> bool:
        if one.dimension == "time":
            return self.in_time(row, one)
        value = self.value(row, one.dimension)
        if value is None:
            return False
        return value != one.text if one.op is Comparator.IS_NOT else value == one.text

    def in_time(self, row: Record, one: Condition) -> bool:
        """A block belongs to a stretch of time from its first moment on."""
        begun = self.facts.started_ns
        block = (row.due_ns - begun) // self.block_ns
        at = _clock(begun + block * self.block_ns)
        text = one.text
        if " and " in text:
            raise LookupError("not all bursts are listed")
        pieces = [text] if one.op is Comparator.BETWEEN else text.split(", ")
        for piece in pieces:
            if piece.startswith("from "):
                inside = at >= _seconds(piece[5:])
            elif piece.startswith("until "):
                inside = at < _seconds(piece[6:])
            else:
                low, high = piece.split("–")  # noqa: RUF001 - a range
                inside = _seconds(low) <= at < _seconds(high)
            if inside:
                return True
        return False

    def value(self, row: Record, dimension: str) -> str | None:
        """How an attribute of a row reads; None: not reached."""
        plan, address = self.facts.plan, self.addresses[row.address]
        client = plan.clients[row.client]
        chain = None if row.chain is None else self.chains[row.chain]
        leaf = chain.certificates[0] if chain is not None and chain.certificates else None
        facts = None if leaf is None else describe(leaf)
        own: dict[str, Callable[[], str | None]] = {
            "address": lambda: str(address),
            "label": lambda: address.label,
            "family": lambda: address.family,
            "client": lambda: client.name,
            "sni": lambda: (plan.server_name or "none") if client.server_name else "none",
            "vantage": lambda: (
                self.facts.vantages[row.vantage].name
                if row.vantage is not None
                else (None if row.source is None else plan.sources[row.source])
            ),
            "chain": lambda: None if row.chain is None else row.chain.hex()[:12],
            "leaf": lambda: (
                None if facts is None else f"{name_of(facts.der)} (serial {facts.serial[:16]})"
            ),
            "issuer": lambda: None if facts is None else facts.issuer,
            "tls_version": lambda: _named("tls_version", row.tls_version),
            "cipher": lambda: _named("cipher", row.cipher),
            "key_group": lambda: _named("key_group", row.key_group),
            "alpn": lambda: row.alpn,
            "resumed": lambda: _flag(row.resumed),
            "hello_retry": lambda: _flag(row.hello_retry),
            "offered": lambda: _flag(row.offered),
        }
        return own[dimension]()


def _kind(cause: Cause) -> tuple[str, Condition | None]:
    return cause.category, cause.mechanism


def _differ(name: str, told: object, counted: object) -> Iterator[str]:
    alike = told == counted
    if isinstance(told, float) and isinstance(counted, float | int):
        alike = abs(told - counted) < 1e-5
    if not alike:
        yield f"{name}: {told} is claimed, the rows say {counted}"


def _side(row: Record) -> Side:
    return Outcome.parse(row.outcome).side


def _named(attribute: str, number: int | None) -> str | None:
    return None if number is None else NAMES[attribute](number)


def _flag(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "no"


def _clock(at_ns: int) -> float:
    """Seconds since midnight, to the digits that a time of day has in a report."""
    at = datetime.fromtimestamp(at_ns // 1_000_000_000, UTC)
    return at.hour * 3600 + at.minute * 60 + at.second


def _seconds(text: str) -> float:
    hours, minutes, seconds = text.rsplit(" ", 1)[-1].split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
