"""The sessions of one worker: kept from good handshakes, offered to later ones by chance.

As a client does, sessions are kept by client and name (the run has one), not by address: which node
can redeem a ticket is the target's own business. A ticket of TLS 1.3 is offered once (RFC 8446
appendix C.4), an older session goes round. Each client keeps at most `KEPT`.
"""

from __future__ import annotations

import random
from collections import deque

from stress.handshake import Session

KEPT = 256


class Sessions:
    """Draws who offers a session, and deals them out, oldest first."""

    def __init__(self, share: float, clients: int, *, seed: int) -> None:
        """Makes empty pools.

        Args:
            share: of the attempts that offer one when there is one, 0 to 1.
            clients: how many there are.
            seed: of the draw.
        """
        self.share = share
        """May be changed between two stretches of a run."""
        self._pools: list[deque[Session]] = [deque(maxlen=KEPT) for _ in range(clients)]
        self._random = random.Random(seed)  # noqa: S311 - spreading load, no secret

    def offer(self, client: int) -> Session | None:
        """What the next attempt of a client shall offer; None: nothing."""
        pool = self._pools[client]
        if self._random.random() >= self.share or not pool:
            return None
        session = pool.popleft()
        if session.reusable:
            pool.append(session)
        return session

    def keep(self, client: int, session: Session | None, *, resumed: bool) -> None:
        """Take what a good handshake left; an old session that was resumed is here already."""
        if session is not None and not (session.reusable and resumed):
            self._pools[client].append(session)
