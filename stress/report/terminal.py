"""The terminal form: ten lines that can be forwarded, then the tables they stand on.

It fits 100 columns, says everything without colour (colour only repeats what a word says), and
prints no character that came from the network without `escape`. rich is imported when rendering
begins, because `--help` must not wait for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from io import StringIO
from typing import TYPE_CHECKING

from stress.model.summary import Answer, Cause, Summary
from stress.report import tables
from stress.report.hostile import escape

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

WIDTH = 100
NARROWEST, NARROWEST_TABLE = 40, 60
"""Columns below which nothing fits: a narrower terminal breaks the lines itself."""

_LABELS = ("where", "what", "who", "fix", "prove", "seen", "asked", "whence", "valid")
"""Fields of `Headlines` below the verdict, in the contract's order."""
_SHOWN_AS = {"whence": "from", "seen": "would show"}

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
        tables = self._console(text, NARROWEST_TABLE)
        for part in _parts(summary):
            tables.print()
            tables.print(part)
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
    if summary.causes:
        yield _causes(summary)
    if summary.assertions:
        yield tables.assertions(summary)
    if summary.failures.categories:
        yield tables.failures(summary)
    if summary.chains:
        yield tables.chains(summary)
    if summary.addresses:
        yield tables.addresses(summary)
    yield from (tables.limit(limit) for limit in summary.limits if limit.steps)
    yield tables.latency(summary)


def _causes(summary: Summary) -> RenderableType:
    """Each cause as a sentence, with what else would describe the same connections."""
    from rich.console import Group  # noqa: PLC0415 - heavy

    parts: list[RenderableType] = [_text("Causes", "bold")]
    for cause in summary.causes:
        parts.extend(_cause(cause))
    left = sum(summary.unexplained.values())
    if left:
        parts.append(_text(f"  Unexplained: {left:,} failures have nothing in common that tells."))
    return Group(*parts)


def _cause(cause: Cause) -> Iterator[RenderableType]:
    yield _indented(f"{cause.rank}.", f"{cause.sentence} [{cause.grade}]")
    for alias in cause.aliases:
        words = " and ".join(f"{each.dimension} {each.value}" for each in alias)
        yield _indented("", f"the same connections: {words}")
    if cause.likely:
        yield _indented("", f"likely: {'; '.join(cause.likely)}")
    if cause.fix:
        yield _indented("", f"fix: {cause.fix}")
    if cause.next:
        yield _indented("", f"next: {cause.next}")


def _indented(label: str, text: str) -> RenderableType:
    from rich.table import Table  # noqa: PLC0415 - heavy

    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=4, justify="right")
    grid.add_column(overflow="fold")
    grid.add_row(label, _text(text))
    return grid


def _text(words: str, style: str = "") -> Text:
    return tables.text(escape(words, longest=2000), style)
