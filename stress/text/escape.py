"""What came over the network is hostile until it is escaped.

Subjects, issuers, host labels and first bytes are chosen by whoever runs the target. A terminal
obeys escape sequences in them, a bidirectional mark reorders the line around them, and a name of
64 KB pushes the verdict off the screen. `escape` takes all three away and keeps letters of every
script readable.
"""

from __future__ import annotations

import re
import unicodedata

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


# Makes text from the network safe to show: one line, no control, no direction tricks.
#
# Names in certificates are chosen by whoever made them. Written raw to a terminal they can move the
# cursor, hide text or reverse its reading order (Unicode TR #36, section 2; CVE-2021-42574).

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that are no visible character: controls, formats (all bidi marks), surrogates,
private use, unassigned, line and paragraph separators."""

PRINTABLE_LONGEST = 200
"""Most characters shown of one text before it is cut."""


def printable(text: str, longest: int = PRINTABLE_LONGEST) -> str:
    r"""The same text with everything invisible written as an escape such as `\x1b` or `\u202e`.

    A backslash is doubled, so that what is escaped cannot be imitated.

    Args:
        text: raw text, possibly hostile.
        longest: cut after this many characters of the input, with an ellipsis.
    """
    shown = "".join(_shown(character) for character in text[:longest])
    return shown + "…" if len(text) > longest else shown


def _shown(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if character == " " or (" " < character <= "~"):
        return character
    if unicodedata.category(character) not in _UNSAFE and not _stacks(character):
        return " " if character.isspace() else character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _stacks(character: str) -> bool:
    """Whether it is drawn over its neighbour (and could cover it)."""
    return unicodedata.category(character) in {"Mn", "Me"}
