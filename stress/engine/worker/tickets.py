"""Chooses in a worker which session tickets are read, for the names of the keys that sealed them.

To read one costs about a third of a handshake with BoringSSL in TLS 1.3. So, unless all are asked
for, two kinds are read. One in `EVERY` is drawn at random before anything is known about it: what
is counted among these is true of all, within its interval. And every one whose chain is not the
commonest of its address and client is read, up to `MOST_RARE`: these say which server sends it, and
nothing about how often.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

EVERY = 16
"""One in so many is drawn: about 2% of the processor time of a handshake."""
LEARNED = 32
"""The first tickets are read, too: what came once is no name yet, and drawn ones need theirs."""
MOST_RARE = 512
"""Tickets that a worker reads beside those that were drawn."""


@dataclass(slots=True)
class TicketSampler:
    """Chooses for one worker."""

    seed: int
    everything: bool = False
    """Every ticket is read."""
    _left: int = MOST_RARE
    _asked: int = 0
    _random: random.Random = field(init=False)
    _seen: Counter[tuple[int, int, bytes]] = field(default_factory=Counter)
    _most: Counter[tuple[int, int]] = field(default_factory=Counter)
    """By address and client: how often the commonest chain came."""

    def __post_init__(self) -> None:
        # Not the numbers by which sessions are offered.
        self._random = random.Random(f"tickets {self.seed}")  # noqa: S311 - a sample, no secret

    def draws(self) -> bool:
        """Whether the next attempt is drawn."""
        return self.everything or self._random.random() * EVERY < 1

    def reads(self, address: int, client: int, chain: bytes | None) -> bool:
        """Count a chain; returns whether a ticket is read that was not drawn.

        It is where the chain is not the commonest of its place, and at the very beginning.
        """
        self._asked += 1
        if chain is None:
            return False
        place, kind = (address, client), (address, client, chain)
        self._seen[kind] += 1
        count = self._seen[kind]
        if count >= self._most[place]:
            self._most[place] = count
            if self._asked > LEARNED:
                return False
        self._left -= 1
        return self._left >= 0
