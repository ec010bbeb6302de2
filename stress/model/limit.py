"""What a search for the limit found: its steps, and the rate between two of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    """How a step came out."""

    HELD = "held"
    """The goal held at this rate."""
    GAVE_WAY = "gave-way"
    """It did not."""
    GENERATOR = "generator"
    """We ourselves could not keep the rate, so the step says nothing about the target."""


class Knob(StrEnum):
    """What a search turns up."""

    RATE = "rate"
    """Attempts a second, in an open loop."""
    CONCURRENCY = "concurrency"
    """Attempts that are always in flight, in a closed loop."""

    @property
    def unit(self) -> str:
        """What stands behind a figure of it."""
        return "/s" if self is Knob.RATE else " at once"

    @property
    def heading(self) -> str:
        """What stands above such figures."""
        return "offered a second" if self is Knob.RATE else "at once"


@dataclass(frozen=True, slots=True)
class Step:
    """One load, offered for some seconds."""

    rate: float
    """Offered: attempts a second, or attempts in flight (`Limit.knob`)."""
    seconds: float
    attempts: int
    """Without the first second, which is a warm-up."""
    failed: int
    not_sent: int
    p50_us: float | None
    """Of total latency, from the intended start."""
    p99_us: float | None
    standing: Standing
    reason: str
    """What decided it, with the figures."""
    sure: bool = False
    """Whether the figures alone say so with 95%, without any benefit of the doubt."""
    tries: int = 1
    """How often it was offered, one after the other: what cannot be decided is tried for longer."""

    @property
    def pace(self) -> float:
        """Attempts a second that were made, after the first second."""
        return self.attempts / max(1.0, self.seconds - 1.0)


@dataclass(frozen=True, slots=True)
class Limit:
    """The answer to "how much can it take?"."""

    goal: str
    steps: tuple[Step, ...]
    """In the order tried; the last one that held is the confirmation when `confirmed`."""
    sustained: float | None
    """Highest rate at which the goal held; None: at none that was tried."""
    first_failing: float | None
    """Lowest rate at which it did not; None: it held up to the ceiling of the search."""
    confirmed: bool
    """Whether it held once more, for long, at `sustained`."""
    gave_way: str
    """What failed first above the limit: a category; for latency alone where the time was lost:
    `slow-connect` before the connection stood, `slow-answer` between our hello and its answer,
    `slow` elsewhere."""
    generator_limited: bool
    """True when the first failing rate was our own limit, not the target's."""
    low: float | None = None
    """Highest rate that surely held (one-sided 95%); None: none was sampled long enough."""
    high: float | None = None
    """Lowest rate that surely gave way (one-sided 95%); None: none did."""
    knob: Knob = Knob.RATE
    """What all these figures count."""
    of: str = ""
    """What was asked, when a sweep asks one thing after the other; empty: the plan's mix."""
