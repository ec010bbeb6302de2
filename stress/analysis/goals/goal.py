"""Goals and assertions: expressions such as `failing<0.1%`.

The same expressions stop a run (`--until`), assess one (`--assert`) and bound a search for the
limit (`--find-limit`). Whether one holds is decided in `stress.analysis.goals.evidence`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from math import inf

from stress.errors import UsageError
from stress.model.run import Phase


class Subject(StrEnum):
    """What a goal is about."""

    FAILURES = "failures"
    """A count."""
    FAILING = "failing"
    """The failure rate."""
    RELATIVE = "relative"
    """How wide the interval of the failure rate is, relative to the rate."""
    CLEAN = "clean"
    """Seconds without a failure at the end of the run."""
    CHAINS = "chains"
    CAUSES = "causes"
    LATENCY = "latency"
    """A percentile of a phase, in microseconds."""


class Operator(StrEnum):
    """How the value is compared."""

    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="
    EQUAL = "=="
    UNEQUAL = "!="
    FOR = "for"
    """Only of `clean for 10m`."""


UPPER = frozenset({Operator.LESS, Operator.AT_MOST})
LOWER = frozenset({Operator.MORE, Operator.AT_LEAST, Operator.FOR})
COUNTED = frozenset({Subject.FAILURES, Subject.CHAINS, Subject.CAUSES})
"""Subjects that are whole numbers."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A parsed goal. Made by `parse_goal`."""

    text: str
    """As it was given."""
    subject: Subject
    operator: Operator
    value: float
    """A count, a rate as a fraction, seconds, or microseconds."""
    phase: Phase | None = None
    percentile: float | None = None
    least_s: float = 0.0
    """Seconds that have to be seen (`failing<0.1% for 10m`)."""

    def compares(self, value: float) -> bool:
        """Whether a value meets the goal."""
        return {
            Operator.LESS: value < self.value,
            Operator.AT_MOST: value <= self.value,
            Operator.MORE: value > self.value,
            Operator.AT_LEAST: value >= self.value,
            Operator.FOR: value >= self.value,
            Operator.EQUAL: value == self.value,
            Operator.UNEQUAL: value != self.value,
        }[self.operator]

    def contradicts(self, other: Goal) -> bool:
        """Whether no value can meet both."""
        same = (self.phase, self.percentile) == (other.phase, other.percentile)
        if not same or self.subject is not other.subject:
            return False
        operators = {self.operator, other.operator}
        low = max(-inf if goal.operator in UPPER else goal.value for goal in (self, other))
        high = min(inf if goal.operator in LOWER else goal.value for goal in (self, other))
        touching = low == high and bool(operators & {Operator.LESS, Operator.MORE})
        return Operator.UNEQUAL not in operators and (low > high or touching)


_GOAL = re.compile(
    r"\s*(?P<word>[A-Za-z][\w.]*)\s*(?P<operator><=|>=|==|!=|=|<|>)\s*"
    r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>%|[a-zµ]+)?\s*"
    r"(?:\s+for\s+(?P<least>\d+(?:\.\d+)?)\s*(?P<time>[a-z]+)\s*)?"
)
_CLEAN = re.compile(r"\s*clean\s+for\s+(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[a-z]+)\s*")
_PERCENTILE = re.compile(r"p(?P<digits>\d{2}|[5-9]\d{2,4}|\d{2}\.\d{1,3})\.(?P<phase>\w+)")
"""`p99.server`; the 99.9th is `p999.server` or `p99.9.server`."""
_SECONDS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_PLAIN = ("failures", "failing", "relative", "chains", "causes")
"""Subjects that stand alone before their operator."""
_NAMES = (
    *_PLAIN,
    "clean",
    *(f"p{digits}.{phase.value}" for digits in (50, 90, 99, 999) for phase in Phase),
)
EXAMPLES = "'failures>=20', 'failing<0.1%', 'relative<20%', 'chains==1', 'p99.server<50ms'"
_HINT = f"goals look like {EXAMPLES}, 'failing<0.1% for 10m' or 'clean for 10m'"


def parse_goal(text: str) -> Goal:
    """Reads a goal or an assertion.

    Raises:
        UsageError: it is not one; with what is wrong, and the nearest that is right.
    """
    clean = _CLEAN.fullmatch(text)
    if clean:
        value = _seconds(text, float(clean["number"]), clean["unit"])
        if not value:
            raise UsageError(f"{text!r} is met at once", "write 'clean for 10m'")
        return Goal(text.strip(), Subject.CLEAN, Operator.FOR, value)
    found = _GOAL.fullmatch(text)
    if not found:
        raise _unreadable(text)
    operator = Operator("==" if found["operator"] == "=" else found["operator"])
    word, number, unit = found["word"], float(found["number"]), found["unit"] or ""
    least_s = _seconds(text, float(found["least"]), found["time"]) if found["least"] else 0.0
    percentile = _PERCENTILE.fullmatch(word)
    if least_s and not (operator in UPPER and (percentile or word == Subject.FAILING)):
        raise UsageError(
            f"{text!r}: only a limit that is not to be exceeded can hold for a time",
            "write 'failing<0.1% for 10m' or 'p99.server<50ms for 10m'",
        )
    if percentile:
        value_us = _seconds(text, number, unit) * 1e6
        return replace(_latency(text, percentile, operator, value_us), least_s=least_s)
    if word not in _PLAIN:
        raise _unknown(text, word)
    subject = Subject(word)
    if subject not in COUNTED:
        number = _rate(text, subject, operator, number / 100.0 if unit else number, unit)
    elif unit or number != int(number):
        raise UsageError(f"{text!r}: {subject.value} is a whole number", _HINT)
    return Goal(text.strip(), subject, operator, number, least_s=least_s)


def parse_goals(texts: Sequence[str]) -> tuple[Goal, ...]:
    """Reads several goals that have to hold together.

    Raises:
        UsageError: one cannot be read, or two of them contradict each other.
    """
    goals = tuple(parse_goal(text) for text in texts)
    for one, other in itertools.combinations(goals, 2):
        if one.contradicts(other):
            raise UsageError(
                f"{one.text!r} and {other.text!r} can never both hold", "drop one of them"
            )
    return goals


def _rate(text: str, subject: Subject, operator: Operator, value: float, unit: str) -> float:
    """A failure rate, or the relative width of its interval, as a fraction."""
    if unit not in {"", "%"}:
        raise UsageError(f"{text!r}: {unit!r} is not a unit of a rate", "write 0.1% or 0.001")
    if operator in {Operator.EQUAL, Operator.UNEQUAL}:
        raise UsageError(
            f"{text!r}: a rate is never known exactly",
            "write 'failures==0', or a bound such as 'failing<0.1%'",
        )
    if not 0.0 < value < 1.0 and subject is Subject.FAILING:
        raise UsageError(
            f"{text!r}: a failure rate is between 0% and 100%",
            "for no failure at all write 'failures==0'",
        )
    if subject is Subject.RELATIVE and operator not in UPPER:
        raise UsageError(f"{text!r}: only an upper bound makes sense", "write 'relative<20%'")
    if not value:
        raise UsageError(f"{text!r} can never be met", "write 'relative<20%'")
    return value


def _latency(text: str, found: re.Match[str], operator: Operator, value_us: float) -> Goal:
    digits = found["digits"].replace(".", "")
    try:
        phase = Phase(found["phase"])
    except ValueError:
        raise _unknown(text, f"p{digits}.{found['phase']}") from None
    if operator in {Operator.EQUAL, Operator.UNEQUAL}:
        raise UsageError(f"{text!r}: a latency goal needs a bound", "write 'p99.server<50ms'")
    percentile = float(f"{digits[:2]}.{digits[2:] or 0}")
    return Goal(text.strip(), Subject.LATENCY, operator, value_us, phase, percentile)


def _seconds(text: str, number: float, unit: str) -> float:
    if unit not in _SECONDS:
        raise UsageError(
            f"{text!r}: {unit!r} is not a unit of time"
            if unit
            else f"{text!r} has no unit of time",
            "write 50ms, 2s or 10m",
        )
    return number * _SECONDS[unit]


def _unreadable(text: str) -> UsageError:
    words = text.strip().split()
    if words in ([], ["clean"]):
        return UsageError(f"{text!r} is not a complete goal", _HINT)
    if len(words) == 1 and words[0].rstrip("<>=") in _NAMES:
        return UsageError(
            f"the goal {text!r} has no value: the shell interprets < and >",
            f"put it in quotes: '{words[0] if words[0] not in _NAMES else words[0] + '<'}…'",
        )
    if re.fullmatch(r"[\w.]+\s+[\d.]+\S*", text.strip()):
        return UsageError(f"the goal {text!r} has no operator", f"put it in quotes; {_HINT}")
    return UsageError(f"{text!r} is not a goal", _HINT)


def _unknown(text: str, word: str) -> UsageError:
    if word == "rate":
        return UsageError(
            f"{text!r}: rate is the offered load, not a result",
            "for the failure rate write 'failing<0.1%'",
        )
    near = [f"{word}.total"] if f"{word}.total" in _NAMES else get_close_matches(word, _NAMES, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return UsageError(f"{text!r}: unknown goal {word!r}", f"{hint}{_HINT}")
