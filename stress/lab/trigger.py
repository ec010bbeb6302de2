"""Decides whether a fault hits a connection. Whoever calls says what time it is."""

from __future__ import annotations

from random import Random

from stress.lab.blueprint import When
from stress.lab.hello import Hello

BUCKET_S = 0.25


class Trigger:
    """The conditions of one fault, with the state that two of them need (dice and bucket)."""

    def __init__(self, when: When, seed: str) -> None:
        self._when = when
        self._dice = Random(seed)  # noqa: S311 - repeatable faults, no secret
        self._full = max(2.0, (when.over_per_s or 0.0) * BUCKET_S)
        self._tokens = self._full
        self._filled_s = 0.0

    def fires(self, hello: Hello | None, at_s: float) -> bool:
        """Whether the connection is hit.

        Args:
            hello: the client's hello; None only when no condition asks for it.
            at_s: seconds since the first connection; must not go back.
        """
        when = self._when
        if when.window is not None and not when.window.holds(at_s):
            return False
        if hello is not None and not _matches(when, hello):
            return False
        if when.over_per_s is not None and self._has_token(when.over_per_s, at_s):
            return False
        # Last, so that the dice depend only on the connections that could have been hit.
        return when.share >= 1 or self._dice.random() < when.share

    def _has_token(self, rate: float, at_s: float) -> bool:
        self._tokens = min(self._full, self._tokens + (at_s - self._filled_s) * rate)
        self._filled_s = at_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def _matches(when: When, hello: Hello) -> bool:
    if when.best_version is not None and hello.best_version != when.best_version:
        return False
    if when.hello_over is not None and hello.size <= when.hello_over:
        return False
    return not (when.without_name and hello.server_name is not None)
