"""What came over the network is hostile until it is escaped.

Subjects, issuers, host labels and first bytes are chosen by whoever runs the target. A terminal
obeys escape sequences in them, a bidirectional mark reorders the line around them, and a name of
64 KB pushes the verdict off the screen. `escape` takes all three away and keeps letters of every
script readable.
"""

from __future__ import annotations

import re

LONGEST = 400
"""Characters of one text that are shown; what is cut is counted."""

_KEPT = frozenset("\u00a0\u202f")
"""No-break spaces: our own sentences use them, and they cannot do harm."""

_LIVELY = re.compile("[\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
"""Characters above ASCII that a terminal or an editor acts upon; JSON escapes the rest itself."""


def escape(text: str, *, longest: int = LONGEST) -> str:
    r"""Text that shows what it holds and does nothing: `\x1b`, `\u202e`, `\n` become visible.

    Args:
        text: anything, lone surrogates included.
        longest: characters of the result's visible part; the rest is cut and counted.
    """
    if len(text) > longest:
        return f"{escape(text[:longest], longest=longest)}… ({len(text):,} characters)"
    if text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character.isprintable() or character in _KEPT:
        return character
    return character.encode("unicode_escape").decode("ascii")


def escape_json(document: str) -> str:
    r"""The same JSON with every character that a terminal acts upon written as `\uXXXX`.

    Such characters can stand in a JSON document only inside strings, so the value is unchanged.
    """
    return _LIVELY.sub(lambda match: f"\\u{ord(match[0]):04x}", document)
