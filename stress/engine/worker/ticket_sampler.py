"""Chooses in a worker which connections have their session ticket read, for the key's name in it.

The first 16 octets of a ticket are the name of the key that sealed it (RFC 5077 section 4
recommends it, most servers do it): all tickets of one server, or of all that share its keys, begin
alike. What that costs:

* Up to TLS 1.2 a ticket comes in the clear, and it is read always.
* In TLS 1.3 OpenSSL shows it for about 25 us; for BoringSSL the record is decrypted (80 us, with
  the key log that this needs). Of a handshake's 350 us that is too much to be spent on each.

So the first of a run are read, a while after each new chain, and later a random part. A random one,
because a fixed step would meet the same few servers of a balancer that takes turns. Chance alone
decides, never how an attempt ended: else the failure rates by server would be biased.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

FIRST = 512
"""Connections of each process that are all read."""
AFTER_NEW = 64
"""The same after a chain that was new."""
PART = 1 / 32
"""Of the others."""
MOST_CHAINS = 1_000


@dataclass(slots=True)
class TicketSampler:
    """Chooses for one worker."""

    chance: random.Random
    _left: int = FIRST
    _chains: set[bytes] = field(default_factory=set)

    def due(self) -> bool:
        """Whether the next connection has its ticket read."""
        if self._left > 0:
            self._left -= 1
            return True
        return self.chance.random() < PART

    def met(self, chain: bytes | None) -> None:
        """Read the next ones if this chain is new."""
        if chain is not None and chain not in self._chains and len(self._chains) < MOST_CHAINS:
            self._chains.add(chain)
            self._left = max(self._left, AFTER_NEW)
