"""An explanation of codes as text: what each says, what all say together, and how to find out."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from stress.text.escape import escape, shell_line

# Wraps labelled text to the width of a report, and escapes it.

WIDTH = 100
NARROWEST = 24
"""Columns that a text gets on the narrowest terminal."""
LONGEST = 4_000


def labelled(label: str, text: str | tuple[str, ...], column: int, width: int = WIDTH) -> list[str]:
    """The text behind its label, wrapped under its own beginning.

    Args:
        label: ours; may be empty.
        text: may hold any character; a command, which is never broken, comes as its words.
        column: where the text begins.
        width: of the terminal.
    """
    if isinstance(text, tuple):
        return [label, f"  {shell_line(text)}"]
    return textwrap.wrap(
        escape(text, longest=LONGEST),
        max(column + NARROWEST, min(width, WIDTH)),
        initial_indent=label.ljust(column),
        subsequent_indent=" " * column,
        break_long_words=False,
        break_on_hyphens=False,
    )


def labelled_lines(
    rows: Iterable[tuple[str, str | tuple[str, ...]]], column: int, width: int = WIDTH
) -> str:
    """All rows of label and text, ending in a newline."""
    lines = [line for label, text in rows for line in labelled(label, text, column, width)]
    return "\n".join(lines) + "\n"


if TYPE_CHECKING:  # the tables behind it are loaded when something is explained
    from stress.codes.explain import Explanation
    from stress.model.outcome import ClientView

_COLUMN = 16
_INDENT = 4
_FAILS = {"yes": "fails", "no": "does not fail", "sometimes": "sometimes fails"}


def render_explanation(
    answer: Explanation, views: Mapping[str, ClientView], width: int = WIDTH
) -> str:
    """The whole answer.

    Args:
        answer: what was found in the user's text.
        views: what each client shows, where the answer is a single outcome; else empty.
        width: of the terminal.
    """
    lines: list[str] = []
    for one in answer.found:
        shown = f"{one.text}  {one.name}" if one.text not in one.name else one.name
        lines += labelled("", f"{shown}, {one.family}", 0, width)
        lines += [*labelled("", one.meaning, _INDENT, width), ""]
    for unknown in answer.unknown:
        near = f" Similar: {', '.join(unknown.nearest)}." if unknown.nearest else ""
        lines += [
            *labelled(
                "", f"{escape(unknown.text, longest=60)} is not a known code.{near}", 0, width
            ),
            "",
        ]
    rows = [
        ("Together:" if len(answer.found) > 1 else "Meaning:", answer.conclusion),
        *(("Written by:", f"{writer}.") for writer in answer.written_by),
        *(("Undecided:", sentence) for sentence in answer.leaves_open),
        *([("Possible:", ", ".join(answer.categories))] if answer.categories else []),
        *((f"{name}:", f"{_FAILS[view.fails]}; {view.reports}") for name, view in views.items()),
    ]
    if answer.cut:
        rows.append(("Left out:", "the beginning: the text is too long to be read in full."))
    number, line = answer.first_not_understood
    if answer.lines > 1 and number:
        share = f"{answer.not_understood:,} of {answer.lines:,} lines"
        rows.append(("Not understood:", f"{share}. The first, line {number:,}: {line}"))
    rows.append(("Next step:", answer.command))
    head = "".join(f"{line}\n" for line in lines)
    return head + labelled_lines(rows, _COLUMN, width)
