"""The Markdown form, for the summary of a CI step and for tickets (GitHub's dialect).

Names from certificates stand in it as text and nothing else: no emphasis, no link that GitHub makes
out of `www.` or `https://`, no table cell, no HTML, and nobody is notified by an `@name`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from stress.model.summary import Answer, Cause, Summary
from stress.text import numbers
from stress.text.escape import escape

LONGEST_TABLE = 20
"""Rows of one table; what is left out is counted."""
_LONGEST = 2_000
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>|~&!$]|^[#+=-]")
_NUMBERED = re.compile(r"^(\d+)([.)])(?=\s|$)")
_LINKED = re.compile(r"(?<=:)/(?=/)|(?i:(?<=www)\.)")
_CALLS = re.compile(r"([@#])(?=\w)")
_SIGNS = {Answer.CLEAN: "✅", Answer.FAILING: "❌"}
_LINES = ("where", "what", "who", "fix", "seen", "asked", "whence", "valid")
_SHOWN_AS = {"whence": "from", "seen": "detectable", "asked": "tested"}
_PHASES = ("connect", "server", "handshake", "total", "lag")


class MarkdownReport:
    """The verdict, the ten lines, causes, and the tables folded away."""

    def render(self, summary: Summary) -> str:
        """The document, ending in a newline."""
        return "\n".join(_lines(summary)) + "\n"


def _lines(summary: Summary) -> Iterator[str]:
    sign = _SIGNS.get(summary.verdict, "⚠️")
    yield f"## {sign} {summary.verdict.value}: {text(summary.headline)}"
    yield ""
    for name in _LINES:
        sentence: str = getattr(summary.lines, name)
        if sentence:
            yield f"- **{_SHOWN_AS.get(name, name)}**: {text(sentence)}"
    yield ""
    yield from code(summary.lines.prove)
    if summary.assertions:
        yield from _assertions(summary)
    for cause in summary.causes:
        yield from _cause(cause)
    if summary.failures.categories:
        yield from _failures(summary)
    yield from _addresses(summary)
    yield from _latency(summary)


def text(words: str) -> str:
    """Words that Markdown takes for words."""
    shown = _SPECIAL.sub(r"\\\g<0>", escape(words, longest=_LONGEST).strip())
    shown = _NUMBERED.sub(r"\1\\\2", shown)
    return _CALLS.sub("\\1\u200b", _LINKED.sub(r"\\\g<0>", shown))


def code(words: str) -> Iterator[str]:
    """Words as a block that can be copied; the fence is longer than any in it."""
    shown = escape(words, longest=_LONGEST)
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    yield from (fence, shown, fence, "")


def _assertions(summary: Summary) -> Iterator[str]:
    rows = [
        (assertion.holds, "-" if assertion.value is None else f"{assertion.value:g}", expression)
        for assertion in summary.assertions
        for expression in [text(assertion.expression)]
    ]
    yield from _table(("holds", "value", "assertion"), rows)


def _cause(cause: Cause) -> Iterator[str]:
    yield f"### {cause.rank}. {text(cause.category)} ({text(cause.grade)})"
    yield ""
    yield text(cause.sentence)
    yield ""
    for root in cause.likely:
        yield f"- **likely**: {text(f'{root.text} ({root.id})')}"
    if cause.fix:
        yield f"- **fix**: {text(cause.fix)}"
    for name, view in cause.clients.items():
        if view.fails != "no":
            yield f"- {text(name)} {_FAILS.get(view.fails, 'may fail')}: {text(view.reports)}"
    yield ""


_FAILS = {"yes": "fails", "sometimes": "fails sometimes"}


def _failures(summary: Summary) -> Iterator[str]:
    counts = summary.failures.categories
    rows = [
        (
            text(name),
            numbers.thousands(count),
            numbers.percent(count / summary.attempts) if summary.attempts else "-",
        )
        for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
    yield from _table(("outcome", "count", "rate"), rows)


def _addresses(summary: Summary) -> Iterator[str]:
    ordered = sorted(summary.addresses, key=lambda line: (-line.interval.low, -line.failures))
    rows = [
        (
            text(f"{line.address} {line.label}" if line.label else line.address),
            numbers.thousands(line.attempts),
            numbers.thousands(line.failures),
            numbers.interval(line.interval),
        )
        for line in ordered
    ]
    yield from _folded("Addresses", ("address", "attempts", "failures", "95% CI"), rows)


def _latency(summary: Summary) -> Iterator[str]:
    rows = []
    for phase in _PHASES:
        found = summary.latency.get(phase)
        if found is not None:
            values = (found.p50, found.p90, found.p99, found.p999, found.max)
            rows.append((phase, *map(numbers.milliseconds, values)))
    yield from _folded("Latency, ms", ("phase", "p50", "p90", "p99", "p99.9", "max"), rows)


def _folded(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table behind its title."""
    if rows:
        yield from (f"<details><summary>{title}</summary>", "")
        yield from _table(head, rows)
        yield from ("</details>", "")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield _row(head)
    yield _row([":---", *["---:"] * (len(head) - 1)])
    yield from map(_row, rows[:LONGEST_TABLE])
    yield ""
    if len(rows) > LONGEST_TABLE:
        yield from (f"and {numbers.thousands(len(rows) - LONGEST_TABLE)} more", "")


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
