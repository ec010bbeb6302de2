"""A replay: the combinations of a recorded run that are tried again, in their order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """How a combination ended when it was recorded."""

    FAILED = "failed"
    GOOD = "good"


@dataclass(frozen=True, slots=True)
class Combination:
    """What we choose about a connection. Indices are those of the recorded run."""

    role: Role
    address: int
    client: int
    source: int | None
    local_port: int | None
    """None: any."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What a run tries again, instead of a load of its own."""

    run: str
    """Name of the recorded run."""
    order: tuple[Combination, ...]
    """All tries, round after round; the attempt with the id `n` tries `order[n]`."""
    rounds: int
    """Each combination is tried so often, once in each round."""
    gap_s: float
    """Wait between two rounds: what balancers and firewalls remember of a connection must go."""
    endings: tuple[str, ...]
    """Names of the outcomes that count as the recorded failure."""
    rate: float
    """How often such connections failed when they were recorded, as a fraction."""
    cause: str = ""
    """The sentence of the cause that is replayed; empty: all failures."""

    @property
    def round_size(self) -> int:
        """Tries in one round."""
        return len(self.order) // self.rounds
