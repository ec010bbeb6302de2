"""Two runs side by side: is it fixed, is it worse, or can they not be compared?

Given the failures of both runs together, those of the second are a binomial draw with its part of
the handshakes, if nothing has changed: an exact test with no approximation at small counts. A fix
is proven soonest where it failed: a cohort which failed at 20% is refuted by fourteen clean
handshakes, while the same proof in the whole mix takes thousands.

Imported late: it needs numpy and scipy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf

import numpy as np
from scipy.special import bdtr, bdtrc, betaincinv

from stress.analysis.causes.classes import FAILURE
from stress.analysis.causes.cohorts import Mask
from stress.analysis.causes.isolation import SliceCondition
from stress.analysis.causes.table import Table
from stress.analysis.compare.latency_change import LatencyChange, latency_changes
from stress.analysis.dimensions import Dimension
from stress.analysis.proportions.estimate import CLUSTERED, block_counts, design_effect
from stress.analysis.recording import record
from stress.analysis.summary import summarize
from stress.analysis.tested import duration_s, policy_names
from stress.analysis.wording.cohorts import place
from stress.model.plan import Trust
from stress.model.run import Run
from stress.model.summary import Cause, Condition, Summary
from stress.text.numbers import of, percent, seconds, thousands

LEVEL = 0.05
WORSE_FACTOR = 2.0
"""Not worse: 95% sure that less than this many times as many fail."""
LONGER = 10.0
"""Runs whose durations differ by more than this see different outages."""
DENSER = 4.0
"""Offered loads that differ by more than this are different questions."""


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
    """95% upper bound of how many times as many fail."""


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


def compare(before: Run, after: Run) -> Comparison:
    """Compares two recorded runs; the first is the reference."""
    one, two = summarize(before), summarize(after)
    reasons = tuple(_differences(before, after))
    mix = _mix(before, after)
    causes = tuple(_cause(again) for again in match_cohorts(before, after, one.causes))
    latency = latency_changes(before.histograms(), after.histograms())
    change = Change.NOT_COMPARABLE if reasons else _overall(mix, causes, latency)
    return Comparison(
        change,
        _headline(change, mix, causes, latency, reasons),
        reasons,
        mix,
        causes,
        latency,
        one,
        two,
    )


def rates(before: tuple[float, float], after: tuple[float, float]) -> Rates:
    """Tests failures of attempts before against after, exactly, given their sum."""
    (failed, size), (failed_after, size_after) = before, after
    total, whole = failed + failed_after, size + size_after
    share = size_after / whole if whole else 0.5
    worse = float(bdtrc(round(failed_after) - 1, round(total), share)) if failed_after else 1.0
    better = float(bdtr(round(failed_after), round(total), share)) if total else 1.0
    return Rates(
        round(failed),
        round(size),
        round(failed_after),
        round(size_after),
        worse,
        better,
        _ratio_high(failed, size, failed_after, size_after),
    )


def _ratio_high(failed: float, size: float, failed_after: float, size_after: float) -> float:
    """One-sided 95% upper bound of the ratio of the shares, given the sum of failures."""
    if not failed or not size_after:
        return inf
    high = float(betaincinv(failed_after + 1.0, failed, 1.0 - LEVEL))
    return inf if high >= 1.0 else high / (1.0 - high) * size / size_after


def _mix(before: Run, after: Run) -> Rates:
    return rates(_effective(before), _effective(after))


def _effective(run: Run) -> tuple[float, float]:
    """Failures and attempts, fewer when the failures are clustered."""
    cube = run.cube()
    line = block_counts(cube.cells, cube.block_ns)
    failures, attempts = line.totals
    effect = design_effect(line)
    return (failures / effect, attempts / effect) if effect > CLUSTERED else (failures, attempts)


def _differences(before: Run, after: Run) -> Iterator[str]:
    """Why two runs are not comparable; nothing when they are."""
    one, two = before.facts(), after.facts()
    if (one.file, one.started_ns) == (two.file, two.started_ns):
        yield "both are the same run"
        return
    for what, was, became in (
        ("target", str(one.plan.target), str(two.plan.target)),
        ("name asked for", one.plan.server_name or "none", two.plan.server_name or "none"),
        ("mix of clients", _mix_words(before), _mix_words(after)),
        ("trust policy", policy_names(one.plan), policy_names(two.plan)),
        ("trust store", *_stores(one.plan.trust, two.plan.trust)),
    ):
        if was != became:
            yield f"the {what} differs ({was}, then {became})"
    yield from _loads(before, after)


def _stores(one: Trust, two: Trust) -> tuple[str, str]:
    """By their names, unless they are known to hold the same; a run file keeps private ones."""
    same = one.private and two.private and one.anchors == two.anchors
    return ("the same", "the same") if same else (one.anchors_from, two.anchors_from)


def _mix_words(run: Run) -> str:
    clients = run.facts().plan.clients
    whole = sum(client.weight for client in clients) or 1.0
    return ", ".join(
        sorted(f"{client.name} {percent(client.weight / whole)}" for client in clients)
    )


def _loads(before: Run, after: Run) -> Iterator[str]:
    long, short = duration_s(before.facts()), duration_s(after.facts())
    if long and short and max(long, short) > LONGER * min(long, short):
        yield f"the duration differs ({seconds(long)}, then {seconds(short)})"
    was, became = before.facts().plan.load.rate, after.facts().plan.load.rate
    if was and became and max(was, became) > DENSER * min(was, became):
        yield f"the offered load differs ({was:g}/s, then {became:g}/s)"
    counts = [sum(cell.count for cell in run.cube().cells) for run in (before, after)]
    if not all(counts):
        yield "one of them has no attempts"


def judge(counted: Rates) -> Change:
    """What the figures allow to say."""
    if counted.worse_p <= LEVEL:
        return Change.WORSE
    if counted.better_p <= LEVEL and counted.before_failures:
        return Change.BETTER
    if counted.ratio_high < WORSE_FACTOR:
        return Change.NOT_WORSE
    clean = not counted.before_failures and not counted.after_failures
    enough = counted.after_attempts * 2 >= counted.before_attempts
    return Change.NOT_WORSE if clean and enough else Change.UNKNOWN


def _overall(
    mix: Rates, causes: tuple[CauseChange, ...], latency: tuple[LatencyChange, ...]
) -> Change:
    """Worse anywhere is worse; a cause that is refuted counts as better."""
    change = judge(mix)
    if change is Change.WORSE or any(one.change is Change.WORSE for one in causes):
        return Change.WORSE
    if any(shift.worse for shift in latency):
        return Change.WORSE
    if change is Change.BETTER and any(not one.rates.after_attempts for one in causes):
        return Change.UNKNOWN  # where it failed before, nobody asked again
    if change is Change.UNKNOWN and causes and all(c.change is Change.BETTER for c in causes):
        return Change.BETTER
    return change


def _cause(again: CohortMatch) -> CauseChange:
    counted = rates(again.before, again.after)
    change = judge(counted)
    was = percent(again.before[0] / again.before[1]) if again.before[1] else "nothing"
    now = f"{of(again.after[0], again.after[1])} {again.where}, {was} before"
    verdicts = {
        Change.BETTER: f'"unchanged" is excluded (p {_p(counted.better_p)})',
        Change.WORSE: f"it is worse (p {_p(counted.worse_p)})",
        Change.NOT_WORSE: "it is no worse",
        Change.UNKNOWN: "too few to tell",
    }
    return CauseChange(again.cause, counted, change, f"{now}: {verdicts[change]}.")


def _p(value: float) -> str:
    return "< 1e-9" if value < 1e-9 else f"= {value:.2g}"


def _headline(
    change: Change,
    mix: Rates,
    causes: tuple[CauseChange, ...],
    latency: tuple[LatencyChange, ...],
    reasons: tuple[str, ...],
) -> str:
    if reasons:
        return f"Not comparable: {'; '.join(reasons)}."
    counted = (
        f"{of(mix.after_failures, mix.after_attempts)} failed, before "
        f"{of(mix.before_failures, mix.before_attempts)}"
    )
    left = ", but not fixed" if mix.after_failures else ""
    words = {
        Change.BETTER: f"Better{left}: {counted} (p {_p(mix.better_p)})",
        Change.NOT_WORSE: f"Not worse{left}: {counted}",
        Change.WORSE: f"Worse: {counted} (p {_p(mix.worse_p)})",
        Change.UNKNOWN: f"Cannot tell: {counted}",
        Change.NOT_COMPARABLE: counted,
    }
    slower = [shift.sentence for shift in latency if shift.worse]
    fixed = [one.sentence for one in causes if one.change is Change.BETTER]
    more = f" {' '.join([*slower, *fixed[:1]])}" if slower or fixed else ""
    return f"{words[change]}{_needed(change, mix)}.{more}"


def _needed(change: Change, mix: Rates) -> str:
    """How many clean handshakes would settle it."""
    if change is not Change.UNKNOWN or not mix.before_failures or mix.after_failures:
        return ""
    # Zero failures after: p = (n1 / (n1 + n2))^k1 <= 0.05.
    factor = LEVEL ** (-1.0 / mix.before_failures) - 1.0
    wanted = round(factor * mix.before_attempts) + 1
    return f"; {thousands(wanted)} handshakes without a failure would settle it"


# Finds the cohort of a cause again in another run, and counts it there.
#
# Imported late: it needs numpy.


@dataclass(frozen=True, slots=True)
class CohortMatch:
    """A cause counted in two runs: failures of its category, and attempts, within its cohort."""

    cause: str
    where: str
    before: tuple[int, int]
    after: tuple[int, int]


def match_cohorts(before: Run, after: Run, causes: Sequence[Cause]) -> Iterator[CohortMatch]:
    """Counts each cause of the first run in both; those that no condition places, in the mix."""
    failing = [cause for cause in causes if cause.kind == FAILURE]
    if not failing:
        return
    one, two = record(before).table, record(after).table
    for cause in failing:
        conditions = placing(cause.conditions)
        where = place(conditions) if conditions else "in the whole mix"
        yield CohortMatch(
            cause.sentence,
            where,
            counted(one, conditions, cause.category),
            counted(two, conditions, cause.category),
        )


def placing(conditions: Sequence[Condition]) -> tuple[SliceCondition, ...]:
    """The conditions that another run can meet: not its time, not its sample of ports."""
    meanings = (SliceCondition(Dimension(one.dimension), one.value) for one in conditions)
    return tuple(
        one for one in meanings if one.dimension not in {Dimension.TIME, Dimension.LOCAL_PORT}
    )


def counted(table: Table, conditions: Sequence[SliceCondition], category: str) -> tuple[int, int]:
    """Failures of the category and attempts among the rows that meet the conditions."""
    rows = rows_of(table, conditions)
    names = table.outcomes.values
    failing = rows & (
        table.outcomes.codes == (names.index(category) if category in names else len(names))
    )
    return int(table.counts[failing].sum()), int(table.counts[rows].sum())


def rows_of(table: Table, conditions: Sequence[SliceCondition]) -> Mask:
    """The rows that meet all the conditions; none when a value never occurs."""
    rows = np.ones(len(table), dtype=np.bool_)
    for one in conditions:
        column = table.holding(one.dimension, one.value)
        if column is None:
            return np.zeros(len(table), dtype=np.bool_)
        rows &= column.codes == column.values.index(one.value)
    return rows
