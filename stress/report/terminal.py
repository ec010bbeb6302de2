"""The terminal form: ten lines that can be forwarded, then the tables they stand on.

It fits 100 columns, says everything without colour (colour only repeats what a word says), and
prints no character that came from the network without `escape`. rich is imported when rendering
begins, because `--help` must not wait for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from io import StringIO
from typing import TYPE_CHECKING

from stress.model.limit import Limit, Standing
from stress.model.summary import AddressLine, Answer, Cause, ChainLine, Likely, Quantiles, Summary
from stress.text import numbers
from stress.text.escape import escape

# The tables under the ten lines: failures, chains, addresses, latency, assertions.
#
# Each function takes the summary and gives one rich table. A table never grows without bound: the
# tail is counted in words. What failed comes first, so that the tail is the dull part.

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
    table = _table("Failures", "category", "count", "rate", "stage reached")
    counts = summary.failures.categories
    for category in sorted(counts, key=lambda name: (-counts[name], name)):
        count = counts[category]
        table.add_row(
            text(category),
            numbers.thousands(count),
            numbers.percent(count / summary.attempts) if summary.attempts else "-",
            text(_stages(summary.failures.stages.get(category, {}))),
        )
    return table


def chains(summary: Summary) -> Table:
    """The distinct chains: how often, whose, and what is wrong with each."""
    table = _table(
        "Chains", "chain", "certificates", "seen", "of all", "subject, differences, problems"
    )
    for line in summary.chains[:LONGEST]:
        table.add_row(
            text(line.sha256[:SHORT_HASH]),
            numbers.thousands(line.certificates),
            numbers.thousands(line.seen),
            numbers.percent(line.share),
            text("\n".join(_chain_words(line))),
        )
    _tell_tail(table, summary.chains, "chain")
    return table


def addresses(summary: Summary) -> Table:
    """The target's addresses; those that failed come first."""
    table = _table("Addresses", "address", "attempts", "failures", "rate", "95% CI")
    ordered = sorted(summary.addresses, key=_failing_first)
    for line in ordered[:LONGEST]:
        table.add_row(
            text(escape(f"{line.address} {line.label}" if line.label else line.address)),
            numbers.thousands(line.attempts),
            numbers.thousands(line.failures),
            numbers.percent(line.failures / line.attempts) if line.attempts else "-",
            numbers.interval(line.interval),
        )
    _tell_tail(table, ordered, "address")
    return table


def latency(summary: Summary) -> Table:
    """Percentiles of each phase of the good attempts; lag is the client's own."""
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
        *("offered", "seconds", "attempts", "failed", "not sent", "p50, ms", "p99, ms", "result"),
    )
    for step in found.steps[-LONGEST:]:
        table.add_row(
            f"{step.rate:,.0f}{found.knob.unit}",
            f"{step.seconds:.0f}",
            numbers.thousands(step.attempts),
            numbers.thousands(step.failed),
            numbers.thousands(step.not_sent),
            numbers.milliseconds(step.p50_us),
            numbers.milliseconds(step.p99_us),
            text(_STANDINGS[step.standing]),
        )
    hidden = len(found.steps) - LONGEST
    if hidden > 0:
        table.caption = text(f"without the first {numbers.thousands(hidden)}")
        table.caption_justify = "left"
    return table


_STANDINGS = {
    Standing.HELD: "held",
    Standing.GAVE_WAY: "gave way",
    Standing.GENERATOR: "generator-limited",
}
_CORRECTED = (
    "total counts from when an attempt was due (corrected), attempt from when it was sent:"
    " the difference is the wait that a tool without a schedule does not measure"
)


_PHASE_MEANS = {
    "connect": "TCP connect time",
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
        table.caption = (
            f"and {numbers.thousands(hidden)} more {nouns[noun] if hidden > 1 else noun}"
        )
        table.caption_justify = "left"


def _stages(stages: Mapping[str, int]) -> str:
    return ", ".join(f"{stage} {numbers.thousands(count)}" for stage, count in stages.items())


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
    return tuple(numbers.milliseconds(value) for value in values)


if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

WIDTH = 100
NARROWEST, NARROWEST_TABLE = 40, 60
"""Columns below which nothing fits: a narrower terminal breaks the lines itself."""

_LABELS = ("where", "what", "who", "fix", "prove", "seen", "asked", "whence", "valid")
"""Fields of `Headlines` below the verdict, in the contract's order."""
_SHOWN_AS = {"whence": "from", "seen": "detectable", "asked": "tested"}

_STYLE = {
    Answer.CLEAN: "bold green",
    Answer.FAILING: "bold red",
    Answer.INCONCLUSIVE: "bold yellow",
    Answer.INVALID: "bold yellow",
    Answer.INTERRUPTED: "bold yellow",
}


class Colour(Enum):
    """Whether the text carries colour."""

    NONE = "none"
    ANSI = "ansi"


class TerminalReport:
    """Renders a summary for a reader at a terminal, or for a file somebody will `cat`."""

    def __init__(self, *, width: int = WIDTH, colour: Colour = Colour.NONE) -> None:
        self._width = min(width, WIDTH)
        self._colour = colour

    def render(self, summary: Summary) -> str:
        """The ten lines, then whatever of the tables has something to say."""
        text = StringIO()
        self._console(text, NARROWEST).print(_headlines(summary))
        wide = self._console(text, NARROWEST_TABLE)
        for part in _parts(summary):
            wide.print()
            wide.print(part)
        return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"

    def _console(self, text: StringIO, narrowest: int) -> Console:
        from rich.console import Console  # noqa: PLC0415 - heavy, and only needed here

        return Console(
            file=text,
            width=max(narrowest, self._width),
            force_terminal=self._colour is Colour.ANSI,
            color_system="standard" if self._colour is Colour.ANSI else None,
            no_color=self._colour is Colour.NONE,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
            _environ={},
        )


def _headlines(summary: Summary) -> RenderableType:
    """The contract's ten lines, one sentence each, wrapped under their label."""
    from rich.table import Table  # noqa: PLC0415 - heavy

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    style = _STYLE[summary.verdict]
    grid.add_row(_text(summary.verdict.value, style), _text(summary.lines.verdict, "bold"))
    for name in _LABELS:
        sentence: str = getattr(summary.lines, name)
        grid.add_row(_text(_SHOWN_AS.get(name, name), "dim"), _text(sentence or "-"))
    return grid


def _parts(summary: Summary) -> Iterator[RenderableType]:
    if summary.causes or summary.unexplained.failures:
        yield _causes(summary)
    if summary.assertions:
        yield assertions(summary)
    if summary.failures.categories:
        yield failures(summary)
    if summary.chains:
        yield chains(summary)
    if summary.addresses:
        yield addresses(summary)
    yield from (limit(each) for each in summary.limits if each.steps)
    yield latency(summary)


def _causes(summary: Summary) -> RenderableType:
    """Each cause as a sentence, with what else would describe the same connections."""
    from rich.console import Group  # noqa: PLC0415 - heavy

    parts: list[RenderableType] = [_text("Causes", "bold")]
    for cause in summary.causes:
        parts.extend(_cause(cause))
    left = summary.unexplained
    if left.failures:
        count = numbers.counted(left.failures, "failure")
        parts.append(_text(f"  Unexplained: {count} with nothing recorded in common."))
        parts.extend(_likely(left.likely))
    return Group(*parts)


def _cause(cause: Cause) -> Iterator[RenderableType]:
    yield _indented(f"{cause.rank}.", f"{cause.sentence} [{cause.grade}]")
    for alias in cause.aliases:
        words = " and ".join(map(str, alias))
        yield _indented("", f"the same connections: {words}")
    yield from _likely(cause.likely)
    if cause.fix:
        yield _indented("", f"fix: {cause.fix}")
    if cause.next:
        yield _indented("", f"next: {cause.next}")


def _likely(roots: Sequence[Likely]) -> Iterator[RenderableType]:
    """Root causes that fit, one a line, with their ids and what to change."""
    for place, root in enumerate(roots):
        words = f"{root.text} ({root.id})"
        if root.fix:
            words += f". {root.fix}"
        yield _indented("", f"{'likely' if place == 0 else 'or'}: {words}")


def _indented(label: str, text: str) -> RenderableType:
    from rich.table import Table  # noqa: PLC0415 - heavy

    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=4, justify="right")
    grid.add_column(overflow="fold")
    grid.add_row(label, _text(text))
    return grid


def _text(words: str, style: str = "") -> Text:
    return text(escape(words, longest=2000), style)
