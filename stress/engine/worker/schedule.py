"""What the next attempt connects to: the target's addresses, clients and sources, or a replay.

Addresses take turns and clients are drawn by weight, so that comparisons between them are fair.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import accumulate, cycle
from typing import NamedTuple, Protocol

from stress.handshake import Session
from stress.model.plan import Address, Client, Replay

KEPT = 256


class Draw(NamedTuple):
    """The choices for one attempt, as indices into the run's lists."""

    address: int
    client: int
    source: int | None
    local_port: int | None = None
    """None: any."""


def draws(
    addresses: Sequence[Address],
    clients: Sequence[Client],
    sources: Sequence[str],
    *,
    seed: int,
) -> Iterator[Draw]:
    """Yield the choices for one attempt after the other, without end.

    Addresses take turns in shuffled rounds: after each round every address had equally many
    attempts, and no order of ours can keep in step with a balancer's own round robin. An address
    that is appended meanwhile joins with the next round. Clients are drawn at random by weight, in
    the same minutes, independently of the address.
    """
    chance = random.Random(seed)  # noqa: S311  # spreading load, no secret
    every, weights = range(len(clients)), list(accumulate(client.weight for client in clients))
    turns = cycle(range(len(sources)) if sources else [None])
    while True:
        places = list(range(len(addresses)))
        if len(places) > 1:
            chance.shuffle(places)
        for address in places:
            client = chance.choices(every, cum_weights=weights)[0] if len(clients) > 1 else 0
            yield Draw(address, client, next(turns))


def replayed(replay: Replay) -> Iterator[Draw]:
    """Yield the combinations of a replay, in their order."""
    return (Draw(each.address, each.client, each.source, each.local_port) for each in replay.order)


class SessionPool(Protocol):
    """Which TLS session an attempt offers, and what becomes of those that it leaves."""

    def offer(self, client: int) -> Session | None:
        """Return the session that the next attempt of a client offers; None: it offers none."""

    def keep(self, client: int, session: Session | None, *, resumed: bool) -> None:
        """Take what a good handshake left; None: nothing.

        Args:
            client: index of its client.
            session: the new session.
            resumed: the handshake resumed the one that it was offered.
        """


class Sessions:
    """The TLS sessions of one worker: kept from good handshakes, offered to later ones at random.

    As a client does, it keeps sessions by client and name (the run has one), not by address: which
    node can redeem a ticket is the target's own business. A ticket of TLS 1.3 is offered once (RFC
    8446 appendix C.4); older sessions are offered again, in turn, the oldest first. Each client
    keeps at most `KEPT`.
    """

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
