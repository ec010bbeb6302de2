"""The HTML page: one file that needs nothing else, and that a stranger's names cannot harm.

What is true here:

* Everything that an expression of the template gives goes through `escape` (control and
  bidirectional characters become visible) and is then escaped for HTML. Only
  drawings, which hold no text of strangers, are taken as they are.
* The Content-Security-Policy names the hashes of the one style sheet and of the one script. Nothing
  else may run, nothing may be fetched, no element may carry a `style` attribute.
* Each figure carries its exact value beside the rounded one, as `data-value`, in JSON's spelling:
  the tables are sorted by it, and whoever reads the page by program finds the numbers of `--json`.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256
from itertools import zip_longest
from typing import Any

from stress.analysis.chains import difference, reference
from stress.analysis.tally import RunCounts, count
from stress.analysis.verdict import policy_names
from stress.evidence.folder import certificate_lines, refusals
from stress.evidence.selection import cases
from stress.evidence.tls_decode import ConnectionEvent, events, stage_words
from stress.model.chain import Verdict
from stress.model.plan import Plan
from stress.model.run import Run, SeenChain
from stress.model.summary import Answer, Cause, Summary
from stress.model.transcript import Transcript
from stress.report.page.drawing import draw_history, draw_knee, draw_panels
from stress.report.page.series import (
    MOST_ROWS,
    column_rates,
    failure_history,
    panels,
    scale_of,
    shares,
)
from stress.report.terminal import LABELS, PHASES, without_codes
from stress.report.wording.backends import backends_title, clock, met_words, server_facts
from stress.text.escape import escape
from stress.text.templates import markup, read_part, template
from stress.trust.reading.certificate import describe

_SIGNS = {Answer.CLEAN: "✓", Answer.FAILING: "✗", Answer.INCONCLUSIVE: "?"}
_PHASES = (
    *("connect", "proxy", "starttls", "server", "handshake"),
    *("total", "attempt", "failing-total", "lag"),
)


class PageReport:
    """Renders a summary with what the run file adds to it: chains, history, distributions.

    Args:
        run: the run that the summary is of; it is read while rendering.
        transcripts: what was kept of it byte for byte.
    """

    def __init__(self, run: Run, transcripts: Sequence[Transcript] = ()) -> None:
        self._run, self._transcripts = run, transcripts

    def render(self, summary: Summary) -> str:
        """The whole page.

        Raises:
            RunFileError: the run file is damaged.
        """
        cube, facts, chains = self._run.cube(), self._run.facts(), self._run.chains()
        tally, history = count(cube.cells), failure_history(cube)
        begun_ns = facts.started_ns + history.begun * cube.block_ns
        style, script = (read_part(__package__, name) for name in ("style.css", "script.js"))
        phases = panels(self._run.histograms())
        if cube.records:
            rates = column_rates(cube.records)
        else:
            rates = shares(summary, tally, facts, chains, cube)
        drawn = history.failures and len(history.attempts) > 1
        views = summary.unexplained.clients or any(one.clients for one in summary.causes)
        who = summary.lines.who
        page = template(
            __package__,
            "page.html.jinja",
            lambda words: html.escape(escape(words, longest=4_000)),
            raw=json.dumps,
        )
        return page.render(
            style=markup(style),
            script=markup(script),
            # Content Security Policy Level 3: nothing but these two, by their hashes.
            policy=f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
            "img-src data:; base-uri 'none'; form-action 'none'",
            summary=summary,
            servers=server_facts(summary),
            backends_title=backends_title(summary.backend_count),
            most_backends=MOST_ROWS,
            met_words=met_words,
            clock=clock,
            labels=LABELS,
            who_fails=without_codes(who) if views else who,
            sign=_SIGNS.get(summary.verdict, "!"),
            phases=[name for name in _PHASES if name in summary.latency],
            pairs=pairs(chains, self._run.verdicts(), tally),
            shares=rates,
            scale=scale_of([*summary.backends, *(row for each in rates for row in each.rows)]),
            panels=[
                (f"{panel.phase}: {PHASES[panel.phase]}", markup(drawing))
                for panel, drawing in zip(phases, draw_panels(phases), strict=True)
            ],
            some_failed=any(panel.failing for panel in phases),
            limits=[
                # Too few steps make no curve.
                (one, _at_widths(draw_knee, one, f"knee-{n}") if len(one.steps) > 1 else None)
                for n, one in enumerate(summary.limits)
            ],
            facts=facts,
            plan=facts.plan,
            policies=policy_names(facts.plan),
            failures_there=failures_there,
            history=_at_widths(draw_history, history, begun_ns, facts.first_ns) if drawn else None,
            timelines=timelines(self._transcripts, summary.causes, facts.plan),
        )


def failures_there(cause: Cause) -> int:
    """Failures under its conditions, also those that an earlier cause explains."""
    return round(cause.precision * cause.attempts)


def _at_widths(draw: Callable[..., str], *shown: Any) -> tuple[Any, Any]:
    """A drawing for a wide page, and the same for a telephone."""
    return tuple(markup(draw(*shown, narrow=narrow)) for narrow in (False, True))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"


# Good beside failing: the chains with what is missing or other, and connections event by event.
#
# The good chain is the one that most good attempts met. Certificates are paired by their bytes
# first, then in the order sent, so that a replaced intermediate stands beside the one it replaced.

MOST_PAIRS = 4
"""Failing chains that are shown beside the good one; the most frequent ones."""
_MOST_CERTIFICATES = 12


class Difference(StrEnum):
    """What is odd about a row of two certificates."""

    SAME = "the same"
    OTHER = "differs"
    MISSING = "missing"
    EXTRA = "only here"
    MOVED = "another place"
    ALONE = ""
    """There is no good chain to compare with."""


@dataclass(frozen=True, slots=True)
class CertificateCard:
    """One certificate."""

    position: int
    """In the order sent, from 1."""
    title: str
    facts: Mapping[str, str]
    """By their labels."""
    differs: Collection[str]
    """Labels under which the certificate beside it says something else."""


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """Two certificates side by side; None: none was sent there."""

    good: CertificateCard | None
    bad: CertificateCard | None
    mark: Difference


@dataclass(frozen=True, slots=True)
class ChainPair:
    """A failing chain beside the good one."""

    good: SeenChain | None
    bad: SeenChain
    failures: int
    differs: str
    """The difference in one sentence fragment; empty without a good chain."""
    findings: tuple[str, ...]
    """What is wrong with the failing chain, and who refuses it for that."""
    rows: tuple[CertificateRow, ...]
    left_out: int
    """Rows that are not shown, because nobody reads so many."""


def pairs(
    chains: Sequence[SeenChain], verdicts: Sequence[Verdict], tally: RunCounts
) -> tuple[ChainPair, ...]:
    """The failing chains, most failures first, each beside the good one."""
    good = reference(chains, tally.good_chains)
    if good is not None and good.id not in tally.good_chains:
        good = None
    failed = tally.failures_by_chain()
    failing = [chain for chain in chains if failed.get(chain.id) and chain is not good]
    failing.sort(key=lambda chain: (-failed[chain.id], chain.sha256))
    made = []
    for bad in failing[:MOST_PAIRS]:
        rows = tuple(_rows(good.certificates if good else None, bad.certificates))
        made.append(
            ChainPair(
                good=good,
                bad=bad,
                failures=failed[bad.id],
                differs=difference(good, bad) if good else "",
                findings=tuple(refusals(verdicts, bad.sha256)),
                rows=rows[:_MOST_CERTIFICATES],
                left_out=max(0, len(rows) - _MOST_CERTIFICATES),
            )
        )
    return tuple(made)


def _rows(good: Sequence[bytes] | None, bad: Sequence[bytes]) -> Iterator[CertificateRow]:
    if good is None:
        for place, der in enumerate(bad):
            yield CertificateRow(None, _card(place, der, None), Difference.ALONE)
        return
    # Equal certificates first; then what is left, in its order.
    left = list(range(len(bad)))
    twins: dict[int, int | None] = {}
    for place, der in enumerate(good):
        twins[place] = same = next((other for other in left if bad[other] == der), None)
        if same is not None:
            left.remove(same)
    places: list[tuple[int | None, int | None]] = [
        (place, left.pop(0) if twin is None and left else twin) for place, twin in twins.items()
    ]
    for ours, theirs in [*places, *((None, other) for other in left)]:
        first = None if ours is None else good[ours]
        second = None if theirs is None else bad[theirs]
        if first is None:
            mark = Difference.EXTRA
        elif second is None:
            mark = Difference.MISSING
        elif first != second:
            mark = Difference.OTHER
        else:
            mark = Difference.SAME if ours == theirs else Difference.MOVED
        yield CertificateRow(
            None if first is None or ours is None else _card(ours, first, second),
            None if second is None or theirs is None else _card(theirs, second, first),
            mark,
        )


def _card(place: int, der: bytes, beside: bytes | None) -> CertificateCard:
    facts = describe(der)
    lines = dict(certificate_lines(facts))
    others = lines if beside is None else dict(certificate_lines(describe(beside)))
    differs = {label for label, value in lines.items() if others.get(label) != value}
    title = facts.common_name or facts.subject or "no name"
    return CertificateCard(place + 1, title, lines, differs)


# One failing connection beside its control. Sizes of most messages vary by themselves (a signature
# is a byte longer or shorter), so only names are compared, and the size of Certificate.

MOST_TIMELINES = 3
MOST_EVENTS = 40
"""Rows of one timeline."""
_SIZE_MATTERS = frozenset({"Certificate", "CompressedCertificate"})


@dataclass(frozen=True, slots=True)
class ConnectionTimeline:
    """Both connections of a pair; None where one has nothing at this place."""

    title: str
    failing: str
    """Which attempt it was."""
    control: str | None
    """The same of the good one; None: none was kept."""
    rows: tuple[tuple[ConnectionEvent | None, ConnectionEvent | None], ...]
    left_out: int


def timelines(
    transcripts: Sequence[Transcript], causes: Sequence[Cause], plan: Plan
) -> tuple[ConnectionTimeline, ...]:
    """The first pair of each cause, and of what no cause explains."""
    shown = [case for case in cases(transcripts, causes, plan) if case.pairs][:MOST_TIMELINES]
    made = []
    for case in shown:
        pair = case.pairs[0]
        if pair.control is None:
            rows: list[tuple[ConnectionEvent | None, ConnectionEvent | None]]
            rows = [(event, None) for event in events(pair.failing)]
        else:
            rows = [
                (_marked(one, other), _marked(other, one))
                for one, other in zip_longest(events(pair.failing), events(pair.control))
            ]
        made.append(
            ConnectionTimeline(
                title=case.category,
                failing=_named(pair.failing),
                control=None if pair.control is None else _named(pair.control),
                rows=tuple(rows[:MOST_EVENTS]),
                left_out=max(0, len(rows) - MOST_EVENTS),
            )
        )
    return tuple(made)


def _named(transcript: Transcript) -> str:
    record = transcript.record
    return f"attempt {record.id} to {transcript.address}: {record.outcome}, {stage_words(record)}"


def _marked(
    event: ConnectionEvent | None, beside: ConnectionEvent | None
) -> ConnectionEvent | None:
    """The event with the lines marked that the other does not have."""
    if event is None:
        return None
    known = set(map(_essence, beside.lines)) if beside is not None else set()
    return replace(event, odd=frozenset(x for x in event.lines if _essence(x) not in known))


def _essence(line: str) -> str:
    name = line.partition(",")[0]
    return line if name in _SIZE_MATTERS else name
