"""The TLS sessions of one worker: kept from good handshakes, offered to later ones at random.

As a client does, it keeps sessions by client and name (the run has one), not by address: which node
can redeem a ticket is the target's own business. A ticket of TLS 1.3 is offered once (RFC 8446
appendix C.4); older sessions are offered again, in turn. Each client keeps at most `KEPT`.
"""

from __future__ import annotations

import random
from collections import deque

from stress.handshake import Session

KEPT = 256


class Sessions:
    """Chooses which attempts offer a session, and which one: the oldest first."""

    def __init__(self, resumption: float, clients: int, *, seed: int) -> None:
        """Make empty pools.

        Args:
            resumption: fraction of the attempts that offer a session when there is one, 0 to 1.
            clients: how many there are.
            seed: of the random choice.
        """
        self.resumption = resumption
        """May be changed between two segments of a run."""
        self._pools: list[deque[Session]] = [deque(maxlen=KEPT) for _ in range(clients)]
        self._random = random.Random(seed)  # noqa: S311 - spreading load, no secret

    def offer(self, client: int) -> Session | None:
        """Return the session that the next attempt of a client offers; None: it offers none."""
        pool = self._pools[client]
        if self._random.random() >= self.resumption or not pool:
            return None
        session = pool.popleft()
        if session.reusable:
            pool.append(session)
        return session

    def keep(self, client: int, session: Session | None, *, resumed: bool) -> None:
        """Keep the session of a good handshake; an older one that was resumed is kept already."""
        if session is not None and not (session.reusable and resumed):
            self._pools[client].append(session)
