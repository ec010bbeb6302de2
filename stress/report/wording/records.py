"""Writes the first ten lines about records that are not ours.

What only a run can say (which certificate, who would see it, how to prove it) is left out: the line
is empty, and no form of the report shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from stress.analysis.findings import Findings
from stress.analysis.verdict import NANOSECONDS
from stress.model.claims import Silence
from stress.model.records import RecordSource
from stress.model.summary import FAILURE, Cause, Failures, Headlines, Validity
from stress.report.wording.causes import silence
from stress.report.wording.context import goal_words
from stress.text.numbers import counted, interval, percent, seconds, thousands

MOST_KINDS = 3
MOST_COLUMNS = 8
"""Columns of one sort that a line names."""


def headlines(
    findings: Findings, failures: Failures, causes: Sequence[Cause], validity: Validity
) -> Headlines:
    """The lines that make sense."""
    source = findings.facts.records
    assert source is not None
    several = len({cause.category for cause in causes if cause.kind == FAILURE}) > 1
    places = [
        f"{one.category}: {one.sentence}" if several and one.kind == FAILURE else one.sentence
        for one in causes
    ]
    found = findings.explanation.unexplained
    if found.silence is Silence.NOTHING_DIFFERS:
        places.append("No column could be searched: each has one value, or too many.")
    else:
        places.append(silence(found))
    verdict = [failure_rate(findings, failures), goal_words(findings.assertions)]
    if not failures.count and causes:  # then all of them are about latency
        verdict.append(f"But: {causes[0].sentence}")
    reasons = "; ".join(validity.reasons)
    return Headlines(
        verdict=" ".join(filter(None, verdict)),
        where=" ".join(filter(None, places)),
        what="",
        who="",
        fix="",
        prove="",
        seen="",
        asked=searched_columns(findings, source),
        whence=time_span(findings, source),
        valid=f"Valid, with warnings: {reasons}." if reasons else "Valid: every row was read.",
    )


def failure_rate(findings: Findings, failures: Failures) -> str:
    """How many failed, and of which kinds."""
    tally, episodes = findings.tally, findings.estimate.episodes
    rate = (
        f"{thousands(tally.failures)} of {thousands(tally.attempts)} attempts failed "
        f"({percent(failures.share)}, 95% CI {interval(failures.interval)})"
    )
    if episodes is not None:
        rate += f", in {counted(episodes.count, 'episode')}"
        rate += f" (longest {seconds(episodes.longest_s)})"
    kinds = [f"{thousands(n)} {name}" for name, n in list(tally.categories.items())[:MOST_KINDS]]
    if len(tally.categories) < 2:
        return f"{rate}."
    more = len(tally.categories) - MOST_KINDS
    return f"{rate}: {'; '.join(kinds)}{f'; {more} more kinds' if more > 0 else ''}."


def searched_columns(findings: Findings, source: RecordSource) -> str:
    """The files, the expression, the columns, and what was left out."""
    table = findings.records
    searched = [column.name for column in table.columns] if table else []
    which = f"a row failed where {source.failed}" if source.failed else "no row counts as failed"
    words = f"{_listed(source.files)}; {which}"
    words += f"; its time is {source.time}" if source.time else ""
    words += f". Searched: {_listed(searched) or 'no column'}."
    if source.how:
        words += f" {'; '.join(source.how)[:1].upper()}{'; '.join(source.how)[1:]}."
    if source.left_out:
        left_out = [f"{name} ({why})" for name, why in source.left_out.items()]
        words += f" Left out: {_listed(left_out)}."
    return words


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_COLUMNS
    return ", ".join(names[:MOST_COLUMNS]) + (f" and {more} more" if more > 0 else "")


def time_span(findings: Findings, source: RecordSource) -> str:
    """How many rows, from when to when."""
    facts = findings.facts
    rows = counted(source.rows, "row")
    if source.attempts != source.rows:
        rows += f" that count for {counted(source.attempts, 'attempt')}"
    if facts.first_ns is None or facts.last_ns is None:
        return f"{rows} without times."
    begin, end = (
        datetime.fromtimestamp(at // NANOSECONDS, UTC) for at in (facts.first_ns, facts.last_ns)
    )
    return f"{rows} from {begin:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S} UTC."
