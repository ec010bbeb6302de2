"""Wraps labelled text to the width of a report, and escapes it."""

from __future__ import annotations

import textwrap

from stress.text.escape import escape

WIDTH = 100
LONGEST = 4_000


def labelled(label: str, text: str, column: int) -> list[str]:
    """The text behind its label, wrapped under its own beginning.

    Args:
        label: ours; may be empty.
        text: may hold any character.
        column: where the text begins.
    """
    return textwrap.wrap(
        escape(text, longest=LONGEST),
        WIDTH,
        initial_indent=label.ljust(column),
        subsequent_indent=" " * column,
        break_long_words=False,
        break_on_hyphens=False,
    )
