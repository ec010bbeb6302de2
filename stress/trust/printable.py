"""Makes text from the network safe to show: one line, no control, no direction tricks.

Names in certificates are chosen by whoever made them. Written raw to a terminal they can move the
cursor, hide text or reverse its reading order (Unicode TR #36, section 2; CVE-2021-42574).
"""

from __future__ import annotations

import unicodedata

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that are no visible character: controls, formats (all bidi marks), surrogates,
private use, unassigned, line and paragraph separators."""

LONGEST = 200
"""Most characters shown of one text before it is cut."""


def printable(text: str, longest: int = LONGEST) -> str:
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
