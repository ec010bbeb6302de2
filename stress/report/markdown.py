"""The Markdown form, for the summary of a CI step and for tickets (GitHub's dialect).

Names from certificates are text and nothing else here: no emphasis, no link that GitHub makes
out of `www.` or `https://`, no table cell, no HTML, and nobody is notified by an `@name`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from stress.model.summary import Answer, Likely, Summary
from stress.report.terminal import LABELS
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
_FAILS = {"yes": "fails", "sometimes": "fails sometimes"}
_PHASES = ("connect", "server", "handshake", "total", "lag")


class MarkdownReport:
    """The verdict, the ten lines, causes, and the tables folded away."""

    def render(self, summary: Summary) -> str:
        """The document, ending in a newline."""
        lines: list[str] = []
        sign = _SIGNS.get(summary.verdict, "⚠️")
        lines.append(f"## {sign} {summary.verdict.value}: {text(summary.headline)}")
        lines.append("")
        for name, label in LABELS.items():
            sentence: str = getattr(summary.lines, name)
            if sentence and name != "prove":  # commands come as a block that can be copied
                lines.append(f"- **{label}**: {text(sentence)}")
        lines.append("")
        lines += code(summary.lines.prove)
        if summary.assertions:
            rows = [
                (one.holds, "-" if one.value is None else f"{one.value:g}", text(one.expression))
                for one in summary.assertions
            ]
            lines += _table(("holds", "value", "assertion"), rows)
        for cause in summary.causes:
            lines.append(f"### {cause.rank}. {text(cause.category)} ({text(cause.grade)})")
            lines.append("")
            lines.append(text(cause.sentence))
            lines.append("")
            lines += _likely(cause.likely)
            if cause.fix:
                lines.append(f"- **fix**: {text(cause.fix)}")
            for name, view in cause.clients.items():
                if view.fails != "no":
                    lines.append(
                        f"- {text(name)} {_FAILS.get(view.fails, 'may fail')}: {text(view.reports)}"
                    )
            lines.append("")
        if summary.unexplained.failures:
            lines.append(
                f"### Unexplained: {numbers.counted(summary.unexplained.failures, 'failure')}"
            )
            lines.append("")
            lines += _likely(summary.unexplained.likely)
            lines.append("")
        lines += _tables(summary)
        return "\n".join(lines) + "\n"


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


def _likely(roots: Sequence[Likely]) -> Iterator[str]:
    for root in roots:
        fix = f" {root.fix}" if root.fix else ""
        yield f"- **likely**: {text(f'{root.id}: {root.text}.{fix}')}"


def _tables(summary: Summary) -> Iterator[str]:
    """Failures, then the addresses and the latency behind their titles."""
    counts = summary.failures.categories
    if counts:
        rows = [
            (
                text(name),
                numbers.thousands(count),
                numbers.percent(count / summary.attempts) if summary.attempts else "-",
            )
            for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        ]
        yield from _table(("outcome", "count", "rate"), rows)
    places = [
        (
            text(f"{line.address} {line.label}" if line.label else line.address),
            numbers.thousands(line.attempts),
            numbers.thousands(line.failures),
            numbers.interval(line.interval),
        )
        for line in sorted(summary.addresses, key=lambda one: (-one.interval.low, -one.failures))
    ]
    yield from _folded("Addresses", ("address", "attempts", "failures", "95% CI"), places)
    phases = [
        (phase, *map(numbers.milliseconds, (one.p50, one.p90, one.p99, one.p999, one.max)))
        for phase in _PHASES
        if (one := summary.latency.get(phase)) is not None
    ]
    yield from _folded("Latency, ms", ("phase", "p50", "p90", "p99", "p99.9", "max"), phases)


def _folded(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table behind its title."""
    if rows:
        yield from (f"<details><summary>{title}</summary>", "")
        yield from _table(head, rows)
        yield from ("</details>", "")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    rule = [":---", *["---:"] * (len(head) - 1)]
    yield from (f"| {' | '.join(cells)} |" for cells in (head, rule, *rows[:LONGEST_TABLE]))
    yield ""
    if len(rows) > LONGEST_TABLE:
        yield from (f"and {numbers.thousands(len(rows) - LONGEST_TABLE)} more", "")
