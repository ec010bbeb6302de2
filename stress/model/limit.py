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


@dataclass(frozen=True, slots=True)
class Step:
    """One offered rate, tried for some seconds."""

    rate: float
    """Offered, a second."""
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


@dataclass(frozen=True, slots=True)
class Limit:
    """The answer to "how much can it take?"."""

    goal: str
    steps: tuple[Step, ...]
    """In the order tried; the last one that held is the confirmation when `confirmed`."""
    sustained: float | None
    """Highest rate a second at which the goal held; None: at none that was tried."""
    first_failing: float | None
    """Lowest rate at which it did not; None: it held up to the ceiling of the search."""
    confirmed: bool
    """Whether it held once more, for long, at `sustained`."""
    gave_way: str
    """What failed first above the limit: a category, or `slow` for latency alone."""
    generator_limited: bool
    """True when the first failing rate was our own limit, not the target's."""
