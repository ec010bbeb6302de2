"""What explains the failures of a run, and what is left."""

from __future__ import annotations

from dataclasses import dataclass

from stress.model.summary import Cause

FAILURE = "failure"
INCONSISTENCY = "inconsistency"


@dataclass(frozen=True, slots=True)
class Explanation:
    """The causes in their order, and the failures none of them holds."""

    causes: tuple[Cause, ...] = ()
    unexplained: int = 0
    silence: str = ""
    """What would have been seen, where nothing was; empty when everything is explained."""
    load: str = ""
    """Whether it follows the offered load; empty when the load was not varied."""

    @property
    def failing(self) -> tuple[Cause, ...]:
        """The causes of failures, without the inconsistencies."""
        return tuple(cause for cause in self.causes if cause.kind == FAILURE)
