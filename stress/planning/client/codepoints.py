"""The numbers behind the words of a client's file: IANA names or hexadecimal."""

from __future__ import annotations

import re

from stress.errors import UsageError
from stress.handshake import names
from stress.planning.words import nearest, printable

_HEX = re.compile(r"0[xX][0-9a-fA-F]{1,4}")


def code_point(field: str, word: str) -> int:
    """Read one code point such as `TLS_AES_128_GCM_SHA256` or `0x1301`.

    Args:
        field: the field of `Client` that it stands in.
        word: as written in the file.

    Raises:
        UsageError: it is no code point; the hint has the nearest name.
    """
    plain = word.strip()
    number = int(plain, 16) if _HEX.fullmatch(plain) else names.code_point(field, plain)
    if number is None:
        raise _unknown(field, word)
    return number


def _unknown(field: str, word: str) -> UsageError:
    known = names.known_names(field)
    guess = nearest(word, known) or nearest(word.lower(), known)
    meant = f'Did you mean "{guess}"? ' if guess else ""
    return UsageError(
        f'"{printable(word)}" is not known among the {field.replace("_", " ")}',
        f"{meant}Write the IANA name, such as {known[0]}, or hexadecimal, such as 0x1301.",
    )
