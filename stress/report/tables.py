"""The tables under the ten lines: failures, chains, addresses, latency, assertions.

Each function takes the summary and gives one rich table. A table never grows without bound: the
tail is counted in words. What failed comes first, so that the tail is the dull part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from stress.model.limit import Limit, Standing
from stress.model.summary import AddressLine, ChainLine, Quantiles, Summary
from stress.report import figures
from stress.report.hostile import escape

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

LONGEST = 20
"""Rows of one table that are shown."""
SHORT_HASH = 12
"""Hexadecimal digits of a chain's name that people compare."""

_PHASES = ("connect", "server", "handshake", "total", "attempt", "lag")


def failures(summary: Summary) -> Table:
    """Failures by category and by the stage that was reached."""
    table = _table("Failures", "category", "count", "share", "stage reached")
    counts = summary.failures.categories
    for category in sorted(counts, key=lambda name: (-counts[name], name)):
        count = counts[category]
        table.add_row(
            text(category),
            figures.count(count),
            figures.percent(count / summary.attempts) if summary.attempts else "-",
            text(_stages(summary.failures.stages.get(category, {}))),
        )
    return table


def chains(summary: Summary) -> Table:
    """The distinct chains: how often, whose, and what is odd about each."""
    table = _table("Chains", "chain", "certificates", "seen", "share", "subject, and what is odd")
    for line in summary.chains[:LONGEST]:
        table.add_row(
            text(line.sha256[:SHORT_HASH]),
            figures.count(line.certificates),
            figures.count(line.seen),
            figures.percent(line.share),
            text("\n".join(_chain_words(line))),
        )
    _tell_tail(table, summary.chains, "chain")
    return table


def addresses(summary: Summary) -> Table:
    """The target's addresses; those that failed come first."""
    table = _table("Addresses", "address", "attempts", "failures", "share", "95 %")
    ordered = sorted(summary.addresses, key=_failing_first)
    for line in ordered[:LONGEST]:
        table.add_row(
            text(escape(f"{line.address} {line.label}" if line.label else line.address)),
            figures.count(line.attempts),
            figures.count(line.failures),
            figures.percent(line.failures / line.attempts) if line.attempts else "-",
            figures.interval(line.interval),
        )
    _tell_tail(table, ordered, "address")
    return table


def latency(summary: Summary) -> Table:
    """Percentiles of each phase of the good attempts; lag is our own."""
    table = _table("Latency, ms", "phase", "p50", "p90", "p99", "p99.9", "max", "")
    for phase in _PHASES:
        quantiles = summary.latency.get(phase)
        if quantiles is not None:
            table.add_row(phase, *_quantiles(quantiles), _PHASE_MEANS[phase])
    if "attempt" in summary.latency:
        table.caption = text(_CORRECTED)
        table.caption_justify = "left"
    return table


def limit(found: Limit) -> Table:
    """The steps of a search for the limit, in the order tried; latency is `total`."""
    of = f", {escape(found.of)}" if found.of else ""
    table = _table(
        f"Steps to the limit of {escape(found.goal)}{of}",
        *("offered", "seconds", "attempts", "failed", "not sent", "p50, ms", "p99, ms", "it"),
    )
    for step in found.steps[-LONGEST:]:
        table.add_row(
            f"{step.rate:,.0f}{found.knob.unit}",
            f"{step.seconds:.0f}",
            figures.count(step.attempts),
            figures.count(step.failed),
            figures.count(step.not_sent),
            figures.milliseconds(step.p50_us),
            figures.milliseconds(step.p99_us),
            text(_STANDINGS[step.standing]),
        )
    hidden = len(found.steps) - LONGEST
    if hidden > 0:
        table.caption = text(f"without the first {figures.count(hidden)}")
        table.caption_justify = "left"
    return table


_STANDINGS = {
    Standing.HELD: "held",
    Standing.GAVE_WAY: "gave way",
    Standing.GENERATOR: "our own limit",
}
_CORRECTED = (
    "total counts from when an attempt was due (corrected), attempt from when it could begin:"
    " their difference is the wait that a tool without a schedule does not see"
)


_PHASE_MEANS = {
    "connect": "TCP connection",
    "server": "the target's own time",
    "handshake": "as a client feels it",
    "total": "from the intended start",
    "attempt": "from the real start",
    "lag": "added by this machine",
}


def assertions(summary: Summary) -> Table:
    """Goals and assertions, and whether they hold."""
    table = _table("Assertions", "holds", "value", "expression")
    for assertion in summary.assertions:
        value = "-" if assertion.value is None else f"{assertion.value:g}"
        table.add_row(assertion.holds, value, text(escape(assertion.expression)))
    return table


def text(words: str, style: str = "") -> Text:
    """Words as rich text, so that brackets in them are no markup. Escape hostile words first."""
    from rich.text import Text  # noqa: PLC0415 - heavy, and only needed when rendering

    return Text(words, style=style, overflow="fold")


def _table(title: str, first: str, *others: str) -> Table:
    """A table with its title above; figures to the right, the words of the last column left."""
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - heavy
    from rich.table import Table  # noqa: PLC0415 - heavy

    table = Table(
        title=text(title, "bold"),
        title_justify="left",
        box=SIMPLE_HEAD,
        header_style="",
        show_edge=False,
        pad_edge=False,
        padding=(0, 1),
    )
    table.add_column(first, overflow="fold")
    for name in others:
        words = name == others[-1]
        table.add_column(
            name, justify="left" if words else "right", no_wrap=not words, overflow="fold"
        )
    return table


def _tell_tail(table: Table, rows: Sequence[object], noun: str) -> None:
    hidden = len(rows) - LONGEST
    if hidden > 0:
        nouns = {"address": "addresses", "chain": "chains"}
        table.caption = f"and {figures.count(hidden)} more {nouns[noun] if hidden > 1 else noun}"
        table.caption_justify = "left"


def _stages(stages: Mapping[str, int]) -> str:
    return ", ".join(f"{stage} {figures.count(count)}" for stage, count in stages.items())


def _chain_words(line: ChainLine) -> list[str]:
    words = [escape(line.subject)]
    if line.differs:
        words.append(escape(line.differs))
    words += [f"{problem}: {policies}" for problem, policies in _by_problem(line).items()]
    return words


def _by_problem(line: ChainLine) -> dict[str, str]:
    """Category -> the policies that refuse for it, in words."""
    refused: dict[str, list[str]] = {}
    for policy, categories in line.problems.items():
        for category in categories:
            refused.setdefault(category, []).append(policy)
    return {category: ", ".join(sorted(names)) for category, names in refused.items()}


def _failing_first(line: AddressLine) -> tuple[float, int]:
    share = line.failures / line.attempts if line.attempts else 0.0
    return (-share, -line.failures)


def _quantiles(quantiles: Quantiles) -> tuple[str, ...]:
    values = (quantiles.p50, quantiles.p90, quantiles.p99, quantiles.p999, quantiles.max)
    return tuple(figures.milliseconds(value) for value in values)
