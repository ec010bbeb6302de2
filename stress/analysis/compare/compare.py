"""Two runs side by side: is it fixed, is it worse, or can they not be compared?

If nothing has changed, then given the failures of both runs together, those of the second are a
binomial draw with its part of the handshakes: an exact test with no approximation at small counts.
A fix is proven soonest where it failed: fourteen clean handshakes refute a cohort that failed at
20%, while the same proof in the whole mix takes thousands. So each cause of the first run is
counted in the same cohort of the second.

Imported late: it needs numpy and scipy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf

import numpy as np
from scipy.special import bdtr, bdtrc, betaincinv

from stress.analysis.causes.isolation import SliceCondition
from stress.analysis.causes.table import Table
from stress.analysis.compare.latency_change import LatencyChange, latency_changes
from stress.analysis.dimensions import Dimension
from stress.analysis.proportions.estimate import CLUSTERED, block_counts, design_effect
from stress.analysis.recording import record
from stress.analysis.verdict import duration_s, policy_names
from stress.model.attributes import place
from stress.model.run import Run
from stress.model.summary import FAILURE, Cause, Condition, Summary
from stress.text.numbers import of, percent, seconds, thousands

LEVEL = 0.05
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


def compare(before: Run, after: Run, summaries: tuple[Summary, Summary]) -> Comparison:
    """Compares two recorded runs, given their summaries; the first is the reference."""
    reasons = tuple(_differences(before, after))
    mix = rates(_effective(before), _effective(after))
    causes = tuple(cause_changes(before, after, summaries[0].causes))
    latency = latency_changes(before.histograms(), after.histograms())
    change = Change.NOT_COMPARABLE if reasons else _overall(mix, causes, latency)
    if reasons:
        headline = f"Not comparable: {'; '.join(reasons)}."
    else:
        headline = _headline(change, mix, causes, latency)
    return Comparison(change, headline, reasons, mix, causes, latency, *summaries)


def rates(before: tuple[float, float], after: tuple[float, float]) -> Rates:
    """Tests failures of attempts before against after, exactly, given their sum."""
    (failed, size), (failed_after, size_after) = before, after
    total, whole = failed + failed_after, size + size_after
    share = size_after / whole if whole else 0.5
    worse = float(bdtrc(round(failed_after) - 1, round(total), share)) if failed_after else 1.0
    better = float(bdtr(round(failed_after), round(total), share)) if total else 1.0
    ratio_high = inf
    if failed and size_after:
        # A bound of the part of the failures that came after turns into one of the ratio.
        high = float(betaincinv(failed_after + 1.0, failed, 1.0 - LEVEL))
        ratio_high = inf if high >= 1.0 else high / (1.0 - high) * size / size_after
    counts = round(failed), round(size), round(failed_after), round(size_after)
    return Rates(*counts, worse, better, ratio_high)


def _effective(run: Run) -> tuple[float, float]:
    """Failures and attempts, fewer when the failures are clustered."""
    cube = run.cube()
    line = block_counts(cube.cells, cube.block_ns)
    failures, attempts = line.totals
    effect = design_effect(line)
    return (failures / effect, attempts / effect) if effect > CLUSTERED else (failures, attempts)


def cause_changes(before: Run, after: Run, causes: Sequence[Cause]) -> Iterator[CauseChange]:
    """Counts each cause of the first run in both; one without conditions, in the whole mix."""
    failing = [cause for cause in causes if cause.kind == FAILURE]
    if not failing:
        return
    tables = record(before).table, record(after).table
    for cause in failing:
        conditions = matching(cause.conditions)
        was, now = (counted(table, conditions, cause.category) for table in tables)
        found = rates(was, now)
        change = judge(found)
        verdicts = {
            Change.BETTER: f"an unchanged failure rate is ruled out (p {_p(found.better_p)})",
            Change.WORSE: f"it is worse (p {_p(found.worse_p)})",
            Change.NOT_WORSE: "it is not worse",
            Change.UNKNOWN: "too few attempts to tell",
        }
        where = place(conditions) if conditions else "in the whole mix"
        reference = percent(was[0] / was[1]) if was[1] else "nothing"
        sentence = f"{of(*now)} {where}, {reference} before: {verdicts[change]}."
        yield CauseChange(cause.sentence, found, change, sentence)


def matching(conditions: Sequence[Condition]) -> tuple[SliceCondition, ...]:
    """The conditions that another run can meet: not its time, not its sample of ports."""
    decoded = (SliceCondition(Dimension(one.dimension), one.text) for one in conditions)
    return tuple(
        one for one in decoded if one.dimension not in {Dimension.TIME, Dimension.LOCAL_PORT}
    )


def counted(table: Table, conditions: Sequence[SliceCondition], category: str) -> tuple[int, int]:
    """Failures of the category and attempts among the rows that meet all the conditions.

    None do when a value never occurs.
    """
    rows = np.ones(len(table), dtype=np.bool_)
    for one in conditions:
        column = table.holding(one.dimension, one.value)
        if column is None:
            return 0, 0
        rows &= column.codes == column.values.index(one.value)
    names = table.outcomes.values
    code = names.index(category) if category in names else len(names)
    failing = rows & (table.outcomes.codes == code)
    return int(table.counts[failing].sum()), int(table.counts[rows].sum())


def _differences(before: Run, after: Run) -> Iterator[str]:
    """Why two runs are not comparable; nothing when they are."""
    one, two = before.facts(), after.facts()
    if (one.file, one.started_ns) == (two.file, two.started_ns):
        yield "both are the same run"
        return
    stores = one.plan.trust.anchors_from, two.plan.trust.anchors_from
    if one.plan.trust.private and two.plan.trust.private:
        # A run file keeps private anchors, so that their names do not matter.
        stores = stores if one.plan.trust.anchors != two.plan.trust.anchors else ("", "")
    for what, was, became in (
        ("target", str(one.plan.target), str(two.plan.target)),
        ("server name", one.plan.server_name or "none", two.plan.server_name or "none"),
        ("mix of clients", _client_mix(before), _client_mix(after)),
        ("trust policy", policy_names(one.plan), policy_names(two.plan)),
        ("trust store", *stores),
    ):
        if was != became:
            yield f"the {what} differs ({was}, then {became})"
    loads = one.plan.load.rate or 0.0, two.plan.load.rate or 0.0
    for what, first, second, factor, text in (
        ("duration", duration_s(one) or 0.0, duration_s(two) or 0.0, LONGER, seconds),
        ("offered load", *loads, DENSER, "{:g}/s".format),
    ):
        if first and second and max(first, second) > factor * min(first, second):
            yield f"the {what} differs ({text(first)}, then {text(second)})"
    if not all(sum(cell.count for cell in run.cube().cells) for run in (before, after)):
        yield "one of the runs has no attempts"


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


def _overall(
    mix: Rates, causes: tuple[CauseChange, ...], latency: tuple[LatencyChange, ...]
) -> Change:
    """Worse anywhere is worse; a cause that is refuted counts as better."""
    change = judge(mix)
    if any(one.change is Change.WORSE for one in causes) or any(one.worse for one in latency):
        return Change.WORSE
    if change is Change.BETTER and any(not one.rates.after_attempts for one in causes):
        return Change.UNKNOWN  # where it failed before, nothing was tested again
    if change is Change.UNKNOWN and causes and all(c.change is Change.BETTER for c in causes):
        return Change.BETTER
    return change


def _p(value: float) -> str:
    return "< 1e-9" if value < 1e-9 else f"= {value:.2g}"


def _headline(
    change: Change, mix: Rates, causes: tuple[CauseChange, ...], latency: tuple[LatencyChange, ...]
) -> str:
    """The answer with its figures, then what is slower and what is fixed."""
    counts = (
        f"{of(mix.after_failures, mix.after_attempts)} failed, before "
        f"{of(mix.before_failures, mix.before_attempts)}"
    )
    left = ", but not fixed" if mix.after_failures else ""
    needed = ""
    if mix.before_failures and not mix.after_failures:
        # Without failures after: p = (n1 / (n1 + n2))^k1 <= 0.05.
        factor = LEVEL ** (-1.0 / mix.before_failures) - 1.0
        wanted = thousands(round(factor * mix.before_attempts) + 1)
        needed = f"; {wanted} handshakes without a failure would settle it"
    words = {
        Change.BETTER: f"Better{left}: {counts} (p {_p(mix.better_p)}).",
        Change.NOT_WORSE: f"Not worse{left}: {counts}.",
        Change.WORSE: f"Worse: {counts} (p {_p(mix.worse_p)}).",
        Change.UNKNOWN: f"Cannot tell: {counts}{needed}.",
    }
    slower = [one.sentence for one in latency if one.worse]
    fixed = [one.sentence for one in causes if one.change is Change.BETTER]
    return " ".join([words[change], *slower, *fixed[:1]])
