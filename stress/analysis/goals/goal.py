"""Goals and assertions: a sentence such as `failing<0.1%`, and whether a run bears it out.

The same words end a run (`--until`), judge one (`--assert`) and bound a search. An answer is yes,
no or unknown: a claim about a share needs evidence, not just a point estimate on the right side.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    """The failing share."""
    RELATIVE = "relative"
    """How wide the interval of the share is, relative to the share."""
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


@dataclass(frozen=True, slots=True)
class Goal:
    """A parsed goal. Made by `parse_goal`."""

    text: str
    """As it was given."""
    subject: Subject
    operator: Operator
    value: float
    """A count, a share as fraction, seconds, or microseconds."""
    phase: Phase | None = None
    percentile: float | None = None

    def compares(self, value: float) -> bool:
        """Whether a known value meets the goal."""
        return {
            Operator.LESS: value < self.value,
            Operator.AT_MOST: value <= self.value,
            Operator.MORE: value > self.value,
            Operator.AT_LEAST: value >= self.value,
            Operator.FOR: value >= self.value,
            Operator.EQUAL: value == self.value,
            Operator.UNEQUAL: value != self.value,
        }[self.operator]


_GOAL = re.compile(
    r"\s*(?P<word>[A-Za-z][\w.]*)\s*(?P<operator><=|>=|==|!=|=|<|>)\s*"
    r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>%|[a-zµ]+)?\s*"
)
_CLEAN = re.compile(r"\s*clean\s+for\s+(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[a-z]+)\s*")
_PERCENTILE = re.compile(r"p(?P<digits>\d{2}|[5-9]\d{2,4}|\d{2}\.\d{1,3})\.(?P<phase>\w+)")
"""`p99.server`; the 99.9th is `p999.server` or `p99.9.server`."""
_SECONDS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_WORDS = (
    "failures",
    "failing",
    "relative",
    "chains",
    "causes",
    "clean",
    *(f"p{digits}.{phase.value}" for digits in (50, 90, 99, 999) for phase in Phase),
)
EXAMPLES = "'failures>=20', 'failing<0.1%', 'relative<20%', 'chains==1', 'p99.server<50ms'"
_HINT = f"goals look like {EXAMPLES} or 'clean for 10m'"


def parse_goal(text: str) -> Goal:
    """Reads a goal or an assertion.

    Raises:
        UsageError: it is none; says what was wrong, and the nearest that is right.
    """
    clean = _CLEAN.fullmatch(text)
    if clean:
        value = _duration(text, float(clean["number"]), clean["unit"])
        if not value:
            raise UsageError(f"{text!r} is reached before it begins", "write 'clean for 10m'")
        return Goal(text.strip(), Subject.CLEAN, Operator.FOR, value)
    found = _GOAL.fullmatch(text)
    if not found:
        raise _unreadable(text)
    operator = Operator("==" if found["operator"] == "=" else found["operator"])
    number, unit = float(found["number"]), found["unit"] or ""
    percentile = _PERCENTILE.fullmatch(found["word"])
    if percentile:
        return _latency(text, percentile, operator, _duration(text, number, unit) * 1e6)
    return _counted(text, found["word"], operator, number, unit)


def parse_goals(texts: Sequence[str]) -> tuple[Goal, ...]:
    """Reads several goals that have to hold together.

    Raises:
        UsageError: one cannot be read, or two of them contradict each other.
    """
    goals = tuple(parse_goal(text) for text in texts)
    for place, goal in enumerate(goals):
        for other in goals[:place]:
            if _contradict(goal, other):
                raise UsageError(
                    f"{other.text!r} and {goal.text!r} can never both hold", "leave one of them out"
                )
    return goals


def _counted(text: str, word: str, operator: Operator, number: float, unit: str) -> Goal:
    try:
        subject = Subject(word)
    except ValueError:
        raise _unknown(text, word) from None
    if subject in {Subject.LATENCY, Subject.CLEAN}:
        raise _unknown(text, word)
    if subject in {Subject.FAILING, Subject.RELATIVE}:
        return Goal(text.strip(), subject, operator, _share(text, subject, operator, number, unit))
    if unit or number != int(number):
        raise UsageError(f"{text!r}: {subject.value} is a whole number", _HINT)
    return Goal(text.strip(), subject, operator, number)


def _share(text: str, subject: Subject, operator: Operator, number: float, unit: str) -> float:
    if unit not in {"", "%"}:
        raise UsageError(f"{text!r}: {unit!r} is no unit of a share", "write 0.1% or 0.001")
    share = number / 100.0 if unit else number
    if operator in {Operator.EQUAL, Operator.UNEQUAL}:
        raise UsageError(
            f"{text!r}: a share is never known exactly",
            "write 'failures==0', or a bound such as 'failing<0.1%'",
        )
    if not 0.0 < share < 1.0 and subject is Subject.FAILING:
        raise UsageError(
            f"{text!r}: a share lies between 0% and 100%",
            "for no failure at all write 'failures==0'",
        )
    if subject is Subject.RELATIVE and operator not in UPPER:
        raise UsageError(f"{text!r}: only an upper bound makes sense", "write 'relative<20%'")
    if not share:
        raise UsageError(f"{text!r} is never reached", "write 'relative<20%'")
    return share


def _latency(text: str, found: re.Match[str], operator: Operator, value_us: float) -> Goal:
    digits = found["digits"].replace(".", "")
    percentile = float(f"{digits[:2]}.{digits[2:] or 0}")
    try:
        phase = Phase(found["phase"])
    except ValueError:
        raise _unknown(text, f"p{digits}.{found['phase']}") from None
    if operator not in UPPER | {Operator.MORE, Operator.AT_LEAST}:
        raise UsageError(f"{text!r}: a latency has bounds, not values", "write 'p99.server<50ms'")
    return Goal(text.strip(), Subject.LATENCY, operator, value_us, phase, percentile)


def _duration(text: str, number: float, unit: str) -> float:
    if unit not in _SECONDS:
        raise UsageError(
            f"{text!r}: {unit!r} is no unit of time" if unit else f"{text!r} has no unit of time",
            "write 50ms, 2s or 10m",
        )
    return number * _SECONDS[unit]


def _unreadable(text: str) -> UsageError:
    words = text.strip().split()
    if words in ([], ["clean"]):
        return UsageError(f"{text!r} says nothing to reach", _HINT)
    if len(words) == 1 and (words[0] in _WORDS or words[0].rstrip("<>=") in _WORDS):
        return UsageError(
            f"the goal {text!r} has no value: the shell takes < and > for itself",
            f"put it in quotes: '{words[0] if words[0] not in _WORDS else words[0] + '<'}…'",
        )
    if re.fullmatch(r"[\w.]+\s+[\d.]+\S*", text.strip()):
        return UsageError(f"the goal {text!r} has no operator", f"put it in quotes; {_HINT}")
    return UsageError(f"{text!r} is no goal", _HINT)


def _unknown(text: str, word: str) -> UsageError:
    if word == "rate":
        return UsageError(
            f"{text!r}: rate is the load that is offered, not a result",
            "for the failing share write 'failing<0.1%'",
        )
    near = [f"{word}.total"] if f"{word}.total" in _WORDS else get_close_matches(word, _WORDS, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return UsageError(f"{text!r}: nothing is called {word!r}", f"{hint}{_HINT}")


def _contradict(one: Goal, other: Goal) -> bool:
    """Whether no value can meet both."""
    same = (one.subject, one.phase, one.percentile) == (
        other.subject,
        other.phase,
        other.percentile,
    )
    if not same or Operator.UNEQUAL in {one.operator, other.operator}:
        return False
    low = max(_bounds(one)[0], _bounds(other)[0])
    high = min(_bounds(one)[1], _bounds(other)[1])
    open_ends = {Operator.LESS, Operator.MORE} & {one.operator, other.operator}
    return low > high or (low == high and bool(open_ends))


def _bounds(goal: Goal) -> tuple[float, float]:
    if goal.operator in UPPER:
        return -inf, goal.value
    if goal.operator in LOWER:
        return goal.value, inf
    return goal.value, goal.value


COUNTED: Mapping[Subject, str] = {
    Subject.FAILURES: "failures",
    Subject.CHAINS: "chains",
    Subject.CAUSES: "causes",
}
"""Subjects that are counts, and what the evidence calls them."""
