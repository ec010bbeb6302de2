"""Two runs side by side: is it fixed, is it worse, or can they not be compared?

If nothing has changed, then given the failures of both runs together, those of the second are a
binomial draw with its part of the handshakes: an exact test with no approximation at small counts.
A fix is proven soonest where it failed: fourteen clean handshakes refute a cohort that failed at
20%, while the same proof in the whole mix takes thousands. So each cause of the first run is
counted in the same cohort of the second.

Failures of one burst are one observation, so the tests count in effective failures
(`stress.analysis.proportions.estimate`), with the clusters of both runs pooled; what is shown are
the rows' own counts. Runs that reached other addresses, or with other clients, are compared in the
cells (address and client) that both have, each with its own part of the attempts: the failures of
a cell are draws with that part, and their sum is a binomial of the same mean and variance. With no
such cell they are not comparable.

Imported late: it needs numpy and scipy.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, inf
from typing import NamedTuple

import numpy as np
from scipy.special import betainc, betaincinv

from stress.analysis.backends import KEY
from stress.analysis.causes.table import Table
from stress.analysis.latency import RELEVANT, LatencyChange, latency_changes
from stress.analysis.proportions.estimate import block_counts, effective
from stress.analysis.recording import table_of
from stress.analysis.tally import counted_by
from stress.analysis.verdict import duration_s, policy_names
from stress.model.attributes import Dimension, place
from stress.model.claims import FailureCount
from stress.model.plan import Plan
from stress.model.run import Cell, Cells, Run, RunFacts
from stress.model.summary import FAILURE, Cause, Comparator, Condition, Summary
from stress.text.numbers import of, percent, seconds, thousands

LEVEL = 0.05
ALIKE = 0.1
"""Runs whose attempts lie elsewhere by more than this part have another mix."""
MOST_TIMES = 1000.0
"""More than so many times the handshakes of AFTER are no answer."""
LIMITED = "generator-limited"
WORSE_FACTOR = 2.0
"""Not worse: 95% sure that the failure rate is less than this many times as high."""
LONGER = 10.0
"""Runs whose durations differ by more than this see different outages."""
DENSER = 4.0
"""Offered loads that differ by more than this test different things."""


class Change(StrEnum):
    """The answer of a comparison."""

    BETTER = "better"
    NOT_WORSE = "not-worse"
    WORSE = "worse"
    UNKNOWN = "cannot-tell"
    NOT_COMPARABLE = "not-comparable"


@dataclass(frozen=True, slots=True)
class Rates:
    """Failures of attempts, before and after."""

    before_failures: int
    before_attempts: int
    after_failures: int
    after_attempts: int
    worse_p: float
    """P(so many or more after), if nothing has changed."""
    better_p: float
    """P(so few or fewer after), if nothing has changed."""
    ratio_high: float
    """95% upper bound of the failure rate after, as a multiple of that before."""
    effect: float = 1.0
    """Failures that are worth one, because they came together."""


class CellCounts(NamedTuple):
    """Failures and attempts before and after, of one address and client."""

    before_failures: int
    before_attempts: int
    after_failures: int
    after_attempts: int


@dataclass(frozen=True, slots=True)
class CauseChange:
    """What became of a cause of the first run."""

    cause: str
    """Its sentence in the first run."""
    rates: Rates
    change: Change
    sentence: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs compared."""

    change: Change
    headline: str
    reasons: tuple[str, ...]
    """Why they cannot be compared; empty when they can."""
    rates: Rates
    causes: tuple[CauseChange, ...]
    latency: tuple[LatencyChange, ...]
    before: Summary
    after: Summary
    warnings: tuple[str, ...] = ()
    """What to know before trusting the answer."""
    needed: int | None = None
    """So many more handshakes would settle it; None: it is settled, or none would."""
    settling: tuple[tuple[Plan, int], ...] = ()
    """The runs that would settle it: their plans, and how many handshakes each takes in all."""


def compare(
    before: Run,
    after: Run,
    summaries: tuple[Summary, Summary],
    tolerance: float = RELEVANT,
) -> Comparison:
    """Compares two recorded runs, given their summaries; the first is the reference.

    Args:
        before: the reference.
        after: what is compared with it.
        summaries: of both.
        tolerance: a percentile of latency that rose by less than this part of itself is not worse.
    """
    cells = cell_counts(before, after)
    shared = [cell for cell in cells.values() if cell.before_attempts and cell.after_attempts]
    reasons = tuple(_differences(before, after, shared=bool(shared)))
    effect = pooled_effect(before, after)
    mix = stratified(shared or list(cells.values()), effect)
    causes = tuple(cause_changes(before, after, summaries[0].causes, effect))
    one, two = before.facts(), after.facts()
    warnings = ["AFTER is older than BEFORE"] if two.started_ns < one.started_ns else []
    same = _same_mix(cells.values())
    if len(shared) < len(cells):
        warnings.append(
            f"compared only where both runs have attempts: {thousands(len(shared))} of "
            f"{thousands(len(cells))} pairs of address and client"
        )
    limited = [text for text in map(_limited, (one, two)) if text]
    latency: tuple[LatencyChange, ...] = ()
    if same and not limited:
        latency = latency_changes(before.histograms(), after.histograms(), tolerance)
    elif not same:
        warnings.append("the latencies are not compared: the mix of addresses and clients differs")
    settling = NOTHING
    if reasons:
        change, headline = Change.NOT_COMPARABLE, f"Not comparable: {'; '.join(reasons)}."
    elif any(text.startswith(LIMITED) for text in limited):
        change, headline = Change.UNKNOWN, f"Cannot tell: {'; '.join(limited)}."
    else:
        sizes = (
            sum(one.before_attempts for one in cells.values()),
            sum(one.after_attempts for one in cells.values()),
        )
        # What would settle it can only be run where it was a run.
        plans = () if one.records or two.records else (one.plan, two.plan)
        change, headline, settling = _answer(mix, causes, latency, plans, sizes)
    return Comparison(
        change,
        headline,
        reasons,
        mix,
        causes,
        latency,
        *summaries,
        warnings=(*warnings, *limited),
        needed=settling.needed,
        settling=settling.runs,
    )


def rates(before: tuple[int, int], after: tuple[int, int], effect: float = 1.0) -> Rates:
    """Tests failures of attempts before against after, exactly, given their sum."""
    return stratified([CellCounts(*before, *after)], effect)


def stratified(cells: Sequence[CellCounts], effect: float = 1.0) -> Rates:
    """Tests after against before within each cell, given the cell's failures."""
    counts = np.asarray(cells, dtype=np.int64).reshape(-1, 4)
    failed, size, failed_after, size_after = counts.sum(axis=0).tolist()
    failures, attempts = counts[:, 0] + counts[:, 2], counts[:, 1] + counts[:, 3]
    parts = counts[:, 3] / np.maximum(1, attempts)
    mean = float((parts * failures).sum())
    variance = float((parts * failures * (1.0 - parts)).sum())
    part = 1.0 - variance / mean if mean else 0.0
    draws = mean / part / effect if part else 0.0
    hits, misses = failed_after / effect, max(0.0, draws - failed_after / effect)
    # Without failures, or with attempts in one run only, nothing can be tested.
    tested = 0.0 < part < 1.0
    worse = float(betainc(hits, misses + 1.0, part)) if tested and hits else 1.0
    better = float(1.0 - betainc(hits + 1.0, misses, part)) if tested and misses else 1.0
    ratio_high = inf
    if tested and misses and size_after:
        # A bound of the part of the failures that came after turns into one of the ratio.
        high = float(betaincinv(hits + 1.0, misses, 1.0 - LEVEL))
        ratio_high = inf if high >= 1.0 else high / (1.0 - high) * (1.0 - part) / part
    return Rates(failed, size, failed_after, size_after, worse, better, ratio_high, effect)


def cell_counts(before: Run, after: Run) -> Mapping[tuple[str, str], CellCounts]:
    """Counts both runs by address and client."""
    none = FailureCount(0, 0)
    was, now = _by_name(before), _by_name(after)
    return {
        name: CellCounts(one.failures, one.attempts, two.failures, two.attempts)
        for name in {**was, **now}
        for one, two in [(was.get(name, none), now.get(name, none))]
    }


def _by_name(run: Run) -> Mapping[tuple[str, str], FailureCount]:
    """Failures and attempts by the names of address and client."""
    clients, addresses = run.facts().plan.clients, run.addresses()

    def names(cell: Cell) -> tuple[str, str]:
        at, who = cell.address, cell.client
        return (
            str(addresses[at]) if at < len(addresses) else f"#{at}",
            clients[who].name if who < len(clients) else f"#{who}",
        )

    return counted_by(run.cube().cells, names)


def _same_mix(cells: Collection[CellCounts]) -> bool:
    """Whether both runs spread their attempts over the cells alike."""
    spread = np.asarray([(one.before_attempts, one.after_attempts) for one in cells], dtype=float)
    sums = spread.sum(axis=0)
    if not sums.all():
        return False
    shares = spread / sums
    return bool(np.abs(shares[:, 0] - shares[:, 1]).sum() / 2 <= ALIKE)


def pooled_effect(before: Run, after: Run) -> float:
    """How many failures are worth one, over the clusters of both runs."""
    squares, failures = 0.0, 0
    for run in (before, after):
        cube = run.cube()
        line = block_counts(cube.cells, cube.block_ns)
        worth = effective(line.failures, line.attempts)
        squares, failures = squares + worth.squares, failures + worth.failures
    return max(1.0, squares / failures) if failures else 1.0


class Settling(NamedTuple):
    """What would settle an open comparison."""

    words: str
    """To follow the figures."""
    needed: int | None = None
    runs: tuple[tuple[Plan, int], ...] = ()


NOTHING = Settling("")


def _settling(
    counts: Rates, plans: Sequence[Plan], sizes: tuple[int, int], *, untested: bool
) -> Settling:
    """The runs that would settle it, a longer AFTER alone where it can.

    Args:
        counts: of both runs.
        plans: of both; none for records that are not ours.
        sizes: attempts of both, also where only one was.
        untested: AFTER has no attempt where BEFORE failed.
    """
    noun = "handshakes" if plans else "attempts"
    if untested and not plans:
        return Settling("; where it failed before, there is nothing in AFTER")
    if untested:
        count = sizes[0]
        words = (
            f"; where it failed before, nothing was tested again: {thousands(count)} more "
            "handshakes, with the plan of BEFORE, would settle it"
        )
        return Settling(words, count, ((plans[0], count),))
    times = settles(counts)
    if times is None:
        return Settling(f"; no number of {noun} is known that would settle it")
    totals = tuple(ceil(size * more) for size, more in zip(sizes, times, strict=True))
    more = sum(totals) - sum(sizes)
    without = "" if counts.after_failures else " without a failure"
    where = "" if times[0] == 1.0 else ", in both runs,"
    words = f"; {thousands(more)} more {noun}{without}{where} would settle it"
    runs = tuple(
        (plan, total)
        for plan, total, size in zip(plans, totals, sizes, strict=bool(plans))
        if total > size
    )
    return Settling(words, more, runs)


def settles(counts: Rates) -> tuple[float, float] | None:
    """How many times the handshakes of BEFORE and of AFTER, failing as often, settle it."""
    for longer in (0.0, 1.0):
        more = 1.0
        while more < MOST_TIMES:
            more *= 1.25
            times = 1.0 + longer * (more - 1.0), more
            before = _scaled(counts.before_failures, counts.before_attempts, times[0])
            after = _scaled(counts.after_failures, counts.after_attempts, times[1])
            if judge(rates(before, after, counts.effect)) is not Change.UNKNOWN:
                return times
    return None


def _scaled(failures: int, attempts: int, times: float) -> tuple[int, int]:
    return round(failures * times), ceil(attempts * times)


def _limited(facts: RunFacts) -> str | None:
    """Why a run says more about this machine than about the target."""
    if any(limit.generator_limited for limit in facts.limits):
        return f"{LIMITED}: the search in {facts.name} ended at this machine's limit"
    return next(
        (text for text in facts.reasons if text.startswith((LIMITED, "load generator"))), None
    )


def cause_changes(
    before: Run, after: Run, causes: Sequence[Cause], effect: float = 1.0
) -> Iterator[CauseChange]:
    """Counts each cause of the first run in both; one without conditions, in the whole mix."""
    failing = [cause for cause in causes if cause.kind == FAILURE]
    if not failing:
        return
    named = {one.dimension for cause in failing for one in cause.conditions}
    tables = table_of(before, named), table_of(after, named)
    for cause in failing:
        conditions = matching(cause.conditions)
        gone = {one: why for one in conditions if (why := _gone(one, tables[1]))}
        conditions = tuple(one for one in conditions if one not in gone)
        was, now = (counted(table, conditions, cause.category) for table in tables)
        found = rates(was, now, effect)
        change = judge(found)
        verdicts = {
            Change.BETTER: f"an unchanged failure rate is ruled out (p {_p(found.better_p)})",
            Change.WORSE: f"it is worse (p {_p(found.worse_p)})",
            Change.NOT_WORSE: "it is not worse",
            Change.UNKNOWN: "too few attempts to tell",
        }
        where = place(conditions) if conditions else "overall"
        where += "".join(f", where {why}" for why in gone.values())
        reference = percent(was[0] / was[1]) if was[1] else "nothing"
        sentence = f"{of(*now)} {where}, {reference} before: {verdicts[change]}."
        if not now[1]:
            sentence = f"Nothing was tested {where}, where {reference} failed before."
        yield CauseChange(cause.sentence, found, change, sentence)


def _gone(condition: Condition, table: Table) -> str:
    """Why a condition names a server that a run did not meet by this name; empty: it did.

    One that was mended and reloaded has another key, one may be out of the pool, and a run may
    tell its servers apart by something else, or not at all. The balancer chose all the same.
    """
    if condition.dimension != Dimension.BACKEND:
        return ""
    column = table.column(Dimension.BACKEND)
    names = () if column is None else column.values
    if condition.text in names:
        return ""
    if condition.text.startswith(KEY):
        return "that ticket key was not met again"
    if all(name.startswith(KEY) for name in names):
        return "no backend is named"
    return "that backend was not met again"


def matching(conditions: Sequence[Condition]) -> tuple[Condition, ...]:
    """The conditions that another run can meet: not its time, its sample of ports, or its modes."""
    own = {Dimension.TIME, Dimension.LOCAL_PORT, Dimension.CONNECT_MODE}
    return tuple(one for one in conditions if one.dimension not in own)


def counted(table: Table, conditions: Sequence[Condition], category: str) -> tuple[int, int]:
    """Failures of the category and attempts among the rows that meet all the conditions.

    None do when a value never occurs.
    """
    rows = np.ones(len(table), dtype=np.bool_)
    for one in conditions:
        mine = [column for column in table.columns if column.dimension == one.dimension]
        # A value that never occurs excludes nothing.
        held = (column for column in mine if one.text in column.values)
        column = next(held, next(iter(mine), None) if one.op is Comparator.IS_NOT else None)
        if column is None:
            return 0, 0
        allowed = [code for code, value in enumerate(column.values) if one.allows(value)]
        rows &= np.isin(column.codes, allowed)
    names = table.outcomes.values
    code = names.index(category) if category in names else len(names)
    failing = rows & (table.outcomes.codes == code)
    return int(table.counts[failing].sum()), int(table.counts[rows].sum())


def _differences(before: Run, after: Run, *, shared: bool) -> Iterator[str]:
    """Why two runs are not comparable; nothing when they are."""
    one, two = before.facts(), after.facts()
    if (one.file, one.started_ns) == (two.file, two.started_ns):
        yield "both are the same run"
        return
    if one.records or two.records:
        yield from _other_records(one, two)
        return
    stores = one.plan.trust.anchors_from, two.plan.trust.anchors_from
    if one.plan.trust.private and two.plan.trust.private:
        # A run file keeps private anchors, so that their names do not matter.
        stores = stores if one.plan.trust.anchors != two.plan.trust.anchors else ("", "")
    for what, was, became in (
        ("target", str(one.plan.target), str(two.plan.target)),
        ("server name", one.plan.server_name or "none", two.plan.server_name or "none"),
        *([] if shared else [("mix of clients", _client_mix(before), _client_mix(after))]),
        ("trust policy", policy_names(one.plan), policy_names(two.plan)),
        ("trust store", *stores),
    ):
        if was != became:
            yield f"the {what} differs ({was}, then {became})"
    # Between closed loops nothing is offered: the target decides how many there are.
    closed = not one.plan.load.rate and not two.plan.load.rate
    loads = (0.0, 0.0) if closed else (_offered(one), _offered(two))
    for what, first, second, factor, text in (
        ("duration", duration_s(one) or 0.0, duration_s(two) or 0.0, LONGER, seconds),
        ("offered load", *loads, DENSER, "{:g}/s".format),
    ):
        if first and second and max(first, second) > factor * min(first, second):
            yield f"the {what} differs ({text(first)}, then {text(second)})"
    if not all(sum(Cells.of_cells(run.cube().cells).counts) for run in (before, after)):
        yield "one of the runs has no attempts"
    elif not shared and _client_mix(before) == _client_mix(after):
        yield "no address was reached in both runs"


def _other_records(one: RunFacts, two: RunFacts) -> Iterator[str]:
    """Why records that are not ours are not comparable."""
    was, became = (facts.records.failed if facts.records else "" for facts in (one, two))
    if not (was and became):
        yield "one holds handshakes of a run, the other records that are not"
    elif was != became:
        yield f"a row failed where {was}, then where {became}"


def _offered(facts: RunFacts) -> float:
    """Attempts a second: as planned, else as counted."""
    return facts.plan.load.rate or facts.recorded / (duration_s(facts) or inf)


def _client_mix(run: Run) -> str:
    clients = run.facts().plan.clients
    whole = sum(client.weight for client in clients) or 1.0
    return ", ".join(
        sorted(f"{client.name} {percent(client.weight / whole)}" for client in clients)
    )


def judge(counts: Rates) -> Change:
    """The change that the figures support."""
    if counts.worse_p <= LEVEL:
        return Change.WORSE
    if counts.better_p <= LEVEL and counts.before_failures:
        return Change.BETTER
    if counts.ratio_high < WORSE_FACTOR:
        return Change.NOT_WORSE
    clean = not counts.before_failures and not counts.after_failures
    enough = counts.after_attempts * 2 >= counts.before_attempts
    return Change.NOT_WORSE if clean and enough else Change.UNKNOWN


def _p(value: float) -> str:
    return "< 1e-9" if value < 1e-9 else f"= {value:.2g}"


def _answer(
    mix: Rates,
    causes: Sequence[CauseChange],
    latency: Sequence[LatencyChange],
    plans: Sequence[Plan],
    sizes: tuple[int, int],
) -> tuple[Change, str, Settling]:
    """The change, its sentence with figures, and what would settle it where it is open.

    Worse anywhere is worse; a cause that is refuted counts as better.
    """
    change, settling = judge(mix), NOTHING
    untested = any(not one.rates.after_attempts for one in causes)
    if any(one.change is Change.WORSE for one in causes) or any(one.worse for one in latency):
        change = Change.WORSE
    elif change is not Change.WORSE and untested:
        change = Change.UNKNOWN  # where it failed before, nothing was tested again
    elif change is Change.UNKNOWN and causes and all(c.change is Change.BETTER for c in causes):
        change = Change.BETTER
    if change is Change.UNKNOWN:
        settling = _settling(mix, plans, sizes, untested=untested)
    counts = (
        f"{of(mix.after_failures, mix.after_attempts)} failed, "
        f"{of(mix.before_failures, mix.before_attempts)} before"
    )
    left = ", but not fixed" if mix.after_failures else ""
    words = {
        Change.BETTER: f"Better{left}: {counts} (p {_p(mix.better_p)}).",
        Change.NOT_WORSE: f"Not worse{left}: {counts}.",
        Change.WORSE: f"Worse: {counts} (p {_p(mix.worse_p)}).",
        Change.UNKNOWN: f"Cannot tell: {counts}{settling.words}.",
    }
    slower = [one.sentence for one in latency if one.worse]
    fixed = [one.sentence for one in causes if one.change is Change.BETTER]
    return change, " ".join([words[change], *slower, *fixed[:1]]), settling
