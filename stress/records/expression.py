"""Which rows failed: `--failed EXPR`, such as `error != ""`, `status >= 500` or `result in a, b`.

A value is compared as a number where both sides are numbers, else as text; `true` and `false` in
any case. *Empty* is a value that is missing: `error = empty`, or nothing after the operator.
"""

from __future__ import annotations

import csv
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from stress.errors import UsageError
from stress.text.escape import nearest, quoted

FORMS = "Write COLUMN = VALUE; also != < <= > >=, `in A, B`, and `empty` for a missing value."
_SPELLINGS = {
    "==": "=",
    "≠": "!=",
    "≤": "<=",
    "≥": ">=",
    "is not": "!=",
    "is": "=",
    "<>": "!=",
}
_OPERATOR = re.compile(
    r"\s*(!=|==|<=|>=|<>|=|<|>|≠|≤|≥)\s*|\s+(not\s+in|in|is\s+not|is)(?=\s|[(\[]|$)",
    re.IGNORECASE,
)
_ORDERED: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_EMPTY = frozenset({"", "empty", "null"})
MOST_SHOWN = 50
"""Columns that a message lists."""


@dataclass(frozen=True, slots=True)
class Failed:
    """What tells a failed row from a good one."""

    text: str
    """As it was given."""
    column: str
    operator: str
    """One of `=`, `!=`, `in`, `not in`, `<`, `<=`, `>`, `>=`, `empty`, `not empty`, `never`."""
    values: tuple[str, ...] = ()

    def __call__(self, value: str | None) -> bool | None:
        """Whether a row with this value failed; None: the value says nothing."""
        if self.operator == "never":
            return False
        if self.operator in {"empty", "not empty"}:
            return (value is None) == (self.operator == "empty")
        if value is None:
            # A row without an error has no error of this name; about anything else it says nothing.
            return False if self.operator in {"=", "in"} else None
        if self.operator in _ORDERED:
            number, bound = as_number(value), as_number(self.values[0])
            assert bound is not None
            return None if number is None else _ORDERED[self.operator](number, bound)
        return any(_same(value, each) for each in self.values) == (self.operator in {"=", "in"})


def parse_failed(text: str, columns: Sequence[str], *, more: bool = False) -> Failed:
    """Read an expression about one of these columns.

    Args:
        text: as it was given.
        columns: that are known.
        more: there may be others, such as one that only failed rows have.

    Raises:
        UsageError: it is none, or there is no such column.
    """
    splits = list(_splits(text))
    if not splits:
        raise UsageError(f"--failed {quoted(text)}: there is no operator", FORMS)
    known = next((split for split in splits if split[0] in columns), None)
    if known is None and more:
        known = splits[0]
    if known is None:
        raise no_column("--failed", splits[0][0], columns)
    column, sign, rest = known
    values: tuple[str, ...] = (_unquoted(rest),)
    if "in" in sign:
        inner = rest[1:-1] if rest[:1] + rest[-1:] in {"()", "[]"} else rest
        lists = csv.reader([inner.replace("'", '"')], skipinitialspace=True)
        values = tuple(value.strip() for listed in lists for value in listed if value.strip())
    if sign in {"=", "!="} and rest.lower() in _EMPTY | {'""', "''"}:
        return Failed(text, column, "empty" if sign == "=" else "not empty")
    if not any(values):
        raise UsageError(f"--failed {quoted(text)}: there is no value after `{sign}`", FORMS)
    if sign in _ORDERED and as_number(values[0]) is None:
        raise UsageError(
            f"--failed {quoted(text)}: `{sign}` needs a number, not {quoted(values[0])}", FORMS
        )
    return Failed(text, column, sign, values)


def no_column(option: str, name: str, columns: Sequence[str]) -> UsageError:
    """The error for a column that is not there, with the nearest that is."""
    near = nearest(name[:MOST_SHOWN], columns[:1000])
    guess = f'Did you mean "{quoted(near)}"? ' if near else ""
    listed = ", ".join(map(quoted, columns[:MOST_SHOWN]))
    more = f" and {len(columns) - MOST_SHOWN:,} more" if len(columns) > MOST_SHOWN else ""
    return UsageError(
        f'{option}: there is no column "{quoted(name)}"', f"{guess}The columns are: {listed}{more}."
    )


def as_number(text: str) -> float | None:
    """The number that a text is; None when it is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number == number and abs(number) < 1e300 else None  # noqa: PLR0124 - not a NaN


def _same(value: str, wanted: str) -> bool:
    if value == wanted:
        return True
    if wanted.lower() in {"true", "false"}:
        return value.lower() == wanted.lower()
    number = as_number(wanted)
    return number is not None and as_number(value) == number


def _splits(text: str) -> Iterator[tuple[str, str, str]]:
    """Every way to read it: the column, the operator in our spelling, and what follows."""
    for match in _OPERATOR.finditer(text):
        sign = " ".join((match[1] or match[2]).lower().split())
        column = _unquoted(text[: match.start()].strip())
        if column:
            yield column, _SPELLINGS.get(sign, sign), text[match.end() :].strip()


def _unquoted(word: str) -> str:
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "\"'`" else word
