"""The terminal form: ten lines that can be forwarded, then the causes and tables they rest on.

It fits 100 columns, says everything without colour (colour only repeats what a word says), and
prints no character that came from the network without `escape`. A table never grows without bound:
what failed comes first, and the rest is counted. rich is imported when rendering begins, because
`--help` must not wait for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from io import StringIO
from typing import TYPE_CHECKING

from stress.model.limit import Limit, Standing
from stress.model.summary import (
    AddressLine,
    Answer,
    BackendLine,
    Likely,
    Purpose,
    Summary,
    VantageLine,
)
from stress.report.wording.backends import ABOUT_SERVERS, backends_title, clock
from stress.report.wording.clients import MEASURED
from stress.text import numbers
from stress.text.escape import escape, shell_line

if TYPE_CHECKING:
    from rich.console import Console, JustifyMethod, RenderableType
    from rich.table import Table
    from rich.text import Text

WIDTH = 100
NARROWEST, NARROWEST_TABLE = 40, 60
"""Columns below which nothing fits: a narrower terminal breaks the lines itself."""
LONGEST = 20
"""Rows of one table that are shown."""
LONGEST_TEXT = 2000
_NOTES = 4
"""Chains of a server and its time that are shown."""
_WIDE = 86
"""Columns from which each latency has its own."""
_LONGEST_NAME = 21
"""Characters of a first column that stay on one line, as of an IPv4 address with its port."""
SHORT_HASH = 12
"""Hexadecimal digits of a chain's name that people compare."""
LABELS = {
    "where": "where",
    "what": "what",
    "who": "who",
    "fix": "fix",
    "prove": "prove",
    "seen": "detectable",
    "asked": "tested",
    "whence": "from",
    "valid": "valid",
}
"""Fields of `Headlines` below the verdict, in the contract's order, and what readers see."""
Cell = str | int | float | None
"""Words, a count, a fraction, or nothing that is known."""
_Line = tuple[str, Sequence[str], AddressLine | BackendLine | VantageLine]
"""A part of the target, with notes."""
_STYLES = {Answer.CLEAN: "bold green", Answer.FAILING: "bold red"}
_STANDINGS = {
    Standing.HELD: "held",
    Standing.GAVE_WAY: "gave way",
    Standing.GENERATOR: "generator-limited",
}
_QUANTILES = ("p50, ms", "p90, ms")
PHASES = {
    "connect": "TCP connect time",
    "proxy": "until the proxy's go-ahead",
    "starttls": "from there until the go-ahead for TLS",
    "server": "the target's own time",
    "handshake": "as a client sees it",
    "total": "from the intended start",
    "attempt": "from the actual start",
    "lag": "added by this machine",
}
_CORRECTED = (
    "total is measured from when an attempt was due (corrected for coordinated omission), attempt"
    " from when it was sent: the difference is what a closed loop does not measure"
)


class TerminalReport:
    """Renders a summary for a reader at a terminal, or for a file somebody will `cat`."""

    def __init__(self, *, width: int = WIDTH, colour: bool = False) -> None:
        self._width = min(width, WIDTH)
        self._colour = colour

    def render(self, summary: Summary) -> str:
        """The ten lines, then whatever of the tables has something to say."""
        from rich.console import Group  # noqa: PLC0415 - heavy

        output = StringIO()
        narrow = self._console(output, NARROWEST)
        narrow.print(Group(*self._answer(summary, narrow.width)), crop=False)
        wide = self._console(output, NARROWEST_TABLE)
        parts: list[RenderableType] = []
        causes: list[RenderableType] = [text("Causes", "bold")]
        for cause in summary.causes:
            causes.append(_indented(f"{cause.rank}.", f"{cause.sentence} [{cause.grade}]"))
            ways = [" and ".join(map(str, alias)) for alias in cause.aliases]
            same = "the same rows" if summary.run.records else "the same connections"
            causes += [_indented("", f"{same}: {way}") for way in ways]
            causes += _likely(cause.likely)
            known = cause.fix in {root.fix for root in cause.likely}
            causes += [_indented("", f"fix: {cause.fix}")] if cause.fix and not known else []
            causes += [_indented("", "next:"), _command(cause.next)] if cause.next else []
        if left := summary.unexplained.failures:
            count = numbers.counted(left, "failure")
            some = left < summary.attempts
            words = "with nothing recorded in common" if some else "and no good handshake"
            causes.append(text(f"  Unexplained: {count} {words}."))
            causes += _likely(summary.unexplained.likely)
            if following := summary.unexplained.next:
                causes += [_indented("", "next:"), _command(following)]
        for one in summary.commands:
            if one.why in ABOUT_SERVERS:
                causes += [_indented("", f"{one.why}:"), _command(shell_line(one.argv))]
        if len(causes) > 1:
            parts.append(Group(*causes))
        tables = (
            (summary.assertions, assertions),
            (summary.failures.categories, failures),
            (list(_views(summary)), clients),
            (summary.chains, chains),
            (summary.addresses, partial(addresses, width=wide.width)),
            (summary.backends, partial(backends, width=wide.width)),
            (summary.vantages, partial(vantages, width=wide.width)),
        )
        parts += [table(summary) for rows, table in tables if rows]
        parts += [limit(each) for each in summary.limits if each.steps]
        parts += [latency(summary)] if summary.latency else []
        for part in parts:
            wide.print()
            wide.print(part, crop=False)
        return "\n".join(line.rstrip() for line in output.getvalue().splitlines()) + "\n"

    def _answer(self, summary: Summary, width: int) -> Iterator[RenderableType]:
        """The ten lines; each command on a line of its own, in one piece."""
        lines, style = summary.lines, _STYLES.get(summary.verdict, "bold yellow")
        margin = max(map(len, [*LABELS.values(), summary.verdict.value]))

        def row(label: Text, words: Text) -> Table:
            from rich.table import Table  # noqa: PLC0415 - heavy

            grid = Table.grid(padding=(0, 2, 0, 0))
            grid.add_column(no_wrap=True, width=margin)
            grid.add_column(overflow="fold")
            grid.add_row(label, words)
            return grid

        yield row(text(summary.verdict.value, style), text(lines.verdict, "bold"))
        proofs = [one for one in summary.commands if one.purpose is not Purpose.NEXT]
        for name, label in LABELS.items():
            words: str = getattr(lines, name) or ("" if summary.run.records else "-")
            if not words:
                continue
            if name == "prove" and proofs:
                for place, one in enumerate(proofs):
                    yield row(text("" if place else label, "dim"), text(f"{one.why}:"))
                    yield _command(shell_line(one.argv))
                continue
            if name == "who" and len(words) > 2 * (width - margin - 2):
                words = without_codes(words)
            yield row(text(label, "dim"), text(words))

    def _console(self, output: StringIO, narrowest: int) -> Console:
        from rich.console import Console  # noqa: PLC0415 - heavy, and only needed here

        return Console(
            file=output,
            width=max(narrowest, self._width),
            force_terminal=self._colour,
            color_system="standard" if self._colour else None,
            no_color=not self._colour,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
            _environ={},
        )


def text(words: str, style: str = "") -> Text:
    """Words as rich text: escaped, and brackets in them are no markup."""
    from rich.text import Text  # noqa: PLC0415 - heavy, and only needed when rendering

    return Text(escape(words, longest=LONGEST_TEXT), style=style, overflow="fold")


def _likely(roots: Sequence[Likely]) -> Iterator[RenderableType]:
    """Root causes that fit, one a line, with their ids and what to change."""
    for place, root in enumerate(roots):
        fix = f" {root.fix}" if root.fix else ""
        yield _indented("", f"{'or' if place else 'likely'}: {root.id}: {root.text}.{fix}")


def _command(line: str) -> Text:
    """A command, ready to be copied: never broken, however narrow the terminal is."""
    from rich.text import Text  # noqa: PLC0415 - heavy

    return Text(f"  {escape(line, longest=LONGEST_TEXT)}", no_wrap=True, overflow="ignore")


def without_codes(words: str) -> str:
    """Who fails, without the codes in parentheses; the table of clients has all of them."""
    head, end, families = words.partition(". ") if words.startswith(MEASURED) else ("", "", words)
    depth, kept = 0, [head, end]  # what was measured has only percentages in parentheses
    for letter in families:
        depth += letter == "("
        kept.append("" if depth else letter)
        depth -= letter == ")"
    return f"{''.join(kept).replace(' ,', ',').replace(' .', '.')} Codes: see Clients."


def _indented(label: str, words: str) -> RenderableType:
    from rich.table import Table  # noqa: PLC0415 - heavy

    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=4, justify="right")
    grid.add_column(overflow="fold")
    grid.add_row(label, text(words))
    return grid


def clients(summary: Summary) -> Table:
    """What each client family does with what was found, and what its user sees."""
    views = dict.fromkeys(_views(summary))
    several = len({kind for kind, *_ in views}) > 1
    rows = [
        (f"{family}, {kind}" if several else family, answer, reports)
        for wanted in ("yes", "sometimes", "no")
        for kind, family, answer, reports in views
        if answer == wanted
    ]
    return _table("Clients", ("client", "fails", "its user sees"), rows[: 2 * LONGEST])


def _views(summary: Summary) -> Iterator[tuple[str, str, str, str]]:
    for cause in summary.causes:
        for family, view in cause.clients.items():
            yield cause.category, family, view.fails, view.reports
    for family, view in summary.unexplained.clients.items():
        yield "unexplained", family, view.fails, view.reports


def failures(summary: Summary) -> Table:
    """Failures by category and by the stage that was reached."""
    counts = summary.failures.categories
    headings: Sequence[str] = ("category", "count", "rate", "stage reached")
    rows: list[Sequence[Cell]] = [
        (
            category,
            counts[category],
            counts[category] / summary.attempts if summary.attempts else None,
            ", ".join(
                f"{stage} {numbers.thousands(count)}"
                for stage, count in summary.failures.stages.get(category, {}).items()
            ),
        )
        for category in sorted(counts, key=lambda name: (-counts[name], name))
    ]
    if summary.run.records:  # how far they came is not known
        headings, rows = headings[:3], [row[:3] for row in rows]
    return _table("Failures", headings, rows)


def chains(summary: Summary) -> Table:
    """The distinct chains: how often, whose, and what is wrong with each."""
    rows: list[Sequence[Cell]] = []
    for line in summary.chains[:LONGEST]:
        refusing: dict[str, list[str]] = {}
        for policy, categories in line.problems.items():
            for category in categories:
                refusing.setdefault(category, []).append(policy)
        words = [line.subject, *([line.differs] if line.differs else [])]
        words += [f"{name}: {', '.join(sorted(those))}" for name, those in refusing.items()]
        name = line.sha256[:SHORT_HASH]
        rows.append((name, line.certificates, line.seen, line.share, *words))
    headings = ("chain", "certificates", "seen", "of all", "subject, differences, problems")
    return _table("Chains", headings, rows, _more(len(summary.chains), "chain", "chains"))


def addresses(summary: Summary, width: int = WIDTH) -> Table:
    """The target's addresses; those that failed come first. A narrow one has latency below."""
    ordered = sorted(
        summary.addresses,
        key=lambda line: (-line.failures / (line.attempts or 1), -line.failures),
    )
    lines: list[_Line] = []
    for one in ordered:
        if one.label and width >= _WIDE:
            lines.append((f"{one.label} {one.address}", (), one))
        else:
            lines.append((one.label or one.address, (one.address,) if one.label else (), one))
    more = _more(len(ordered), "address", "addresses")
    return _parts("Addresses", "address", lines, more, width)


def backends(summary: Summary, width: int = WIDTH) -> Table:
    """The servers behind the addresses; those that failed come first, with chain and time."""
    lines: list[_Line] = []
    for one in summary.backends[:LONGEST]:
        notes = [f"chain {chain[:SHORT_HASH]}" for chain in one.chains if one.failures]
        if one.failing_since:
            notes.append(f"since {clock(one.failing_since, summary.run.started)}")
        lines.append((one.name, notes[:_NOTES], one))
    more = _more(len(summary.backends), "backend", "backends")
    return _parts(backends_title(summary.backend_count), "backend", lines, more, width)


def vantages(summary: Summary, width: int = WIDTH) -> Table:
    """The machines whose runs were merged."""
    lines: list[_Line] = [(one.name, (), one) for one in summary.vantages]
    return _parts("Vantages", "vantage", lines, _more(len(lines), "vantage", "vantages"), width)


def _parts(title: str, noun: str, lines: Sequence[_Line], note: str, width: int) -> Table:
    """Attempts, failures and latencies of each part of the target; notes go below the interval."""
    wide = width >= _WIDE
    headings = [noun, "attempts", "failures", "rate"]
    headings += [*_QUANTILES, "95% CI"] if wide else ["95% CI; p50, p90"]
    rows: list[Sequence[Cell]] = []
    for name, notes, line in lines[:LONGEST]:
        rate = line.failures / line.attempts if line.attempts else None
        known = (line.latency.p50, line.latency.p90) if line.latency else (None, None)
        p50, p90 = map(numbers.milliseconds, known)
        interval = numbers.interval(line.interval)
        last = [p50, p90, interval] if wide else [interval, f"{p50}, {p90} ms"]
        rows.append((name, line.attempts, line.failures, rate, *last, *notes))
    return _table(title, headings, rows, note)


def latency(summary: Summary) -> Table:
    """Percentiles of each phase of the good attempts; lag is the client's own."""
    rows = [
        (
            "latency" if summary.run.records else phase,
            *map(numbers.milliseconds, (one.p50, one.p90, one.p99, one.p999, one.max)),
            "of good attempts" if summary.run.records else meaning,
        )
        for phase, meaning in PHASES.items()
        if (one := summary.latency.get(phase)) is not None
    ]
    headings = ("phase", "p50", "p90", "p99", "p99.9", "max", "")
    return _table("Latency, ms", headings, rows, _CORRECTED if "attempt" in summary.latency else "")


def limit(found: Limit) -> Table:
    """The steps of a search for the limit, in the order tried; latency is `total`."""
    of = f", {found.of}" if found.of else ""
    hidden = len(found.steps) - LONGEST
    return _table(
        f"Steps to the limit of {found.goal}{of}",
        ("offered", "seconds", "attempts", "failed", "not sent", "p50, ms", "p99, ms", "result"),
        [
            (
                f"{numbers.offered(step.rate)}{found.knob.unit}",
                f"{step.seconds:.0f}",
                step.attempts,
                step.failed,
                step.not_sent,
                numbers.milliseconds(step.p50_us),
                numbers.milliseconds(step.p99_us),
                _STANDINGS[step.standing],
            )
            for step in found.steps[-LONGEST:]
        ],
        f"without the first {numbers.thousands(hidden)}" if hidden > 0 else "",
    )


def assertions(summary: Summary) -> Table:
    """Goals and assertions, and whether they hold."""
    rows = [
        (one.holds, "-" if one.value is None else f"{one.value:g}", one.expression)
        for one in summary.assertions
    ]
    return _table("Assertions", ("holds", "value", "expression"), rows)


def _table(
    title: str, headings: Sequence[str], rows: Iterable[Sequence[Cell]], caption: str = ""
) -> Table:
    """A table with its title above; figures to the right, the words of the last column left.

    Args:
        title: above it.
        headings: of its columns.
        rows: may hold any character; what exceeds the columns are further lines of the last one.
        caption: below it.
    """
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - heavy
    from rich.table import Table  # noqa: PLC0415 - heavy
    from rich.text import Text  # noqa: PLC0415 - heavy

    table = Table(
        title=text(title, "bold"),
        title_justify="left",
        caption=text(caption) if caption else None,
        caption_justify="left",
        box=SIMPLE_HEAD,
        header_style="",
        show_edge=False,
        pad_edge=False,
        padding=(0, 1),
    )
    last = len(headings) - 1
    shown = [
        [
            numbers.percent(cell)
            if isinstance(cell, float)
            else numbers.thousands(cell)
            if isinstance(cell, int)
            else cell or "-"
            for cell in row
        ]
        for row in rows
    ]
    named = max((len(row[0]) for row in shown), default=0)
    for place, name in enumerate(headings):
        figures = 0 < place < last
        justify: JustifyMethod = "right" if figures else "left"
        # Names are what readers look for: on a narrow terminal the words of the last column wrap.
        whole = figures or (place == 0 and named <= _LONGEST_NAME)
        table.add_column(name, justify=justify, no_wrap=whole, overflow="fold")
    for row in shown:
        cells = [text(cell) for cell in row]
        table.add_row(*cells[:last], Text("\n").join(cells[last:]))
    return table


def _more(rows: int, one: str, many: str) -> str:
    """How many rows a table does not show."""
    hidden = rows - LONGEST
    noun = many if hidden > 1 else one
    return f"and {numbers.thousands(hidden)} more {noun}" if hidden > 0 else ""
