"""Decides whether what session tickets begin with is the name of a key, and so of a server.

No list of servers: some put a name of 16 octets in front (OpenSSL, nginx, HAProxy, BoringSSL, s2n,
rustls), some one of 4 (Java, mbedTLS), some none (Go; a session id instead of a ticket). So the
tickets of each address are counted. Sixteen random octets never come twice: once they did, tickets
of that address begin with names, and new ones are believed at once. Four come twice by chance among
many, so each has to come three times; and so has any where there are far more that came once than
twice, because then some server behind that address gives no names.

A name is that of a key, not of a machine: servers that share their keys have one name, and a server
that makes new keys gets another.
"""

from __future__ import annotations

from collections import Counter, defaultdict

SHOWN_DIGITS = 8
"""Hexadecimal digits of a name that people compare: of `xxd -p ticket.key`, the first."""
SURE = 3
"""Tickets that must begin with the same 4 octets."""
FEW = 64
"""So many that came once are no sign of a server without names."""
ONCE_FOR_TWICE = 8
"""Among names, those that came once are not so many times as many as those that came twice."""
MOST = 10_000
"""Beginnings of tickets that are counted for an address."""


class KeyNames:
    """The names of ticket keys that were met behind each address."""

    def __init__(self, *, headers: bool = False) -> None:
        """Knows none yet.

        Args:
            headers: they are values of a header instead: any that comes twice names a server.
        """
        self._headers = headers
        self._addresses: defaultdict[int, _Tickets] = defaultdict(_Tickets)

    def learn(self, address: int, begin: str) -> None:
        """Count a ticket.

        Args:
            address: its index.
            begin: 16 octets in hexadecimal; of a shorter ticket all that there are.
        """
        self._addresses[address].learn(begin)

    def name(self, address: int, begin: str) -> str | None:
        """What the server is called whose ticket begins like this; None: that is no name."""
        is_name = self._addresses[address].is_name(begin, whole=self._headers)
        if self._headers:
            return begin if is_name else None
        return f"ticket key {begin[:SHOWN_DIGITS]}" if is_name else None


class _Tickets:
    """The tickets of one address."""

    def __init__(self) -> None:
        self.long = Counter[str]()
        self.short = Counter[str]()
        self.once = self.twice = 0

    def learn(self, begin: str) -> None:
        if begin in self.long or len(self.long) < MOST:
            self.long[begin] += 1
            count = self.long[begin]
            self.once += (count == 1) - (count == 2)
            self.twice += (count == 2) - (count == 3)
        short = begin[:SHOWN_DIGITS]
        if short in self.short or len(self.short) < MOST:
            self.short[short] += 1

    def is_name(self, begin: str, *, whole: bool) -> bool:
        if self.long[begin] > 1 or (not whole and self.short[begin[:SHOWN_DIGITS]] >= SURE):
            return True
        named = len(self.long) - self.once
        many = self.once > FEW and self.once > ONCE_FOR_TWICE * (self.twice + 1)
        return named > 0 and self.long[begin] == 1 and not many
