"""Who asks whom: deals addresses equally and clients by weight, so that comparisons are fair."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import accumulate, cycle
from typing import NamedTuple, Protocol

from stress.model.client import Client
from stress.model.target import Address


class Draw(NamedTuple):
    """What one attempt shall ask, by index into the run's lists."""

    address: int
    client: int
    source: int | None
    local_port: int | None = None
    """None: any."""


class AttemptSource(Protocol):
    """Whoever says what the next attempt shall ask."""

    addresses: list[Address]

    def join(self, address: Address) -> None:
        """Let a new address take part."""

    def draw(self) -> Draw:
        """The next attempt's address, client, source and port."""


class Schedule:
    """Deals one draw after the other.

    Addresses go round in shuffled rounds: after each round every address has been asked equally
    often, and no order of ours can beat in time with a balancer's own round robin. Clients are
    drawn at random by weight, in the same minutes, independently of the address.
    """

    def __init__(
        self,
        addresses: tuple[Address, ...],
        clients: tuple[Client, ...],
        sources: tuple[str, ...],
        *,
        seed: int,
    ) -> None:
        self.addresses = list(addresses)
        self._clients = range(len(clients))
        self._weights = list(accumulate(client.weight for client in clients))
        self._sources = cycle(range(len(sources))) if sources else None
        self._random = random.Random(seed)  # noqa: S311  # spreading load, no secret
        self._round = self._rounds()

    def join(self, address: Address) -> None:
        """Let a new address take part from the next round on."""
        self.addresses.append(address)

    def draw(self) -> Draw:
        """The next attempt's address, client and source."""
        client = 0
        if len(self._clients) > 1:
            client = self._random.choices(self._clients, cum_weights=self._weights)[0]
        source = next(self._sources) if self._sources is not None else None
        return Draw(next(self._round), client, source)

    def _rounds(self) -> Iterator[int]:
        while True:
            order = list(range(len(self.addresses)))
            if len(order) > 1:  # of one there is no order, and it is drawn for each attempt
                self._random.shuffle(order)
            yield from order
