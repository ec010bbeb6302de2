"""The result of a search for the limit: its steps, and the highest rate that held."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

SLOW, SLOW_CONNECT, SLOW_ANSWER = "slow", "slow-connect", "slow-answer"
"""Limiting factors (`Limit.gave_way`) for latency alone."""


class Standing(StrEnum):
    """The result of a step."""

    HELD = "held"
    """The goal held at this rate."""
    GAVE_WAY = "gave-way"
    """It did not."""
    GENERATOR = "generator"
    """Generator-limited: we could not keep the rate, so the step says nothing about the target."""


class Knob(StrEnum):
    """The load parameter that a search raises."""

    RATE = "rate"
    """Attempts a second, in an open loop."""
    CONCURRENCY = "concurrency"
    """Attempts in flight, in a closed loop."""

    @property
    def unit(self) -> str:
        """The unit after a figure."""
        return "/s" if self is Knob.RATE else " at once"

    @property
    def heading(self) -> str:
        """The heading over such figures."""
        return "offered a second" if self is Knob.RATE else "at once"


@dataclass(frozen=True, slots=True)
class Step:
    """One load level, offered for some seconds."""

    rate: float
    """Offered: attempts a second, or attempts in flight (`Limit.knob`)."""
    seconds: float
    """Of all its tries together."""
    attempts: int
    """Of all its tries, so that the steps add up to the attempts of the run. What decides is the
    last try without its first second, which is a warm-up."""
    failed: int
    not_sent: int
    p50_us: float | None
    """Of total latency in the last try, from the intended start."""
    p99_us: float | None
    standing: Standing
    reason: str
    """What decided it, with the figures."""
    sure: bool = False
    """Whether the figures alone decide it at 95% confidence."""
    tries: int = 1
    """How often it was offered in a row: a step that cannot be decided is repeated, for longer."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The highest load at which a goal holds."""

    goal: str
    steps: tuple[Step, ...]
    """In the order tried; the last one that held is the confirmation when `confirmed`."""
    sustained: float | None
    """Highest rate at which the goal held, and below which it never gave way; None: there is none.
    """
    first_failing: float | None
    """Lowest rate at which it did not hold; None: it held wherever it was tried."""
    confirmed: bool
    """Whether it held in a second, longer step at `sustained`."""
    gave_way: str
    """Limiting factor: the category that failed first above the limit. For latency alone, where
    the time was lost: `slow-connect` in TCP connect, `slow-answer` between hello and answer,
    `slow` elsewhere."""
    generator_limited: bool
    """True when the first failing rate was our own limit, not the target's."""
    low: float | None = None
    """Highest rate that held at 95% confidence (one-sided); None: no step was long enough."""
    high: float | None = None
    """Lowest rate that failed at 95% confidence (one-sided); None: none did."""
    knob: Knob = Knob.RATE
    """The load parameter of these figures."""
    of: str = ""
    """The part of a sweep that this is about; empty: the plan's mix."""

    @property
    def held_once(self) -> float | None:
        """A rate that held in a short step, though it or a lower one gave way in another."""
        low = self.first_failing
        held = [step.rate for step in self.steps if step.standing is Standing.HELD]
        ours = self.generator_limited or low is None
        return None if ours else max((rate for rate in held if rate >= (low or 0)), default=None)


@dataclass(frozen=True, slots=True)
class SearchState:
    """How far a search for the limit has come, for the live line."""

    step: int
    """Number of the step that is under way, from 1."""
    load: float
    """What it offers: attempts a second, or attempts in flight."""
    knob: Knob
    seconds: float
    """How long this try of the step takes."""
    tries: int
    """Which try of the step it is, from 1."""
    confirming: bool
    last: Step | None
    """The step before."""
    held: float | None
    """The highest load that held …"""
    failed: float | None
    """… and the lowest that did not, or that this machine could not offer."""
    after_s: float | None
    """Of the steps after this one, if each is decided at once; None: not known yet."""
    of: str = ""
    """The part of a sweep that this is about."""
