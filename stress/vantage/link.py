"""The seam between a run from many machines and what carries its messages.

A transport (`execnet` over ssh, a cluster's own messaging) implements two things, and needs to know
nothing of what is carried:

* here, a `Fleet`: it opens one `Gateway` for each machine, or says in a `UsageError` why it cannot;
* there, whatever runs `stress.vantage.far.serve(link)` in the main thread of a process that has
  the same release of tls-stress. A task that is started twice may call it twice: the second gets
  no *Go*, dials nothing and ends.

A `VantageLink` is a two-way stream of small messages (`bytes`, at most some 300 KB each), in their
order. That the other side is gone must be noticed on both sides, as soon as the transport can know;
where it cannot (a link that is cut), both sides notice the silence by themselves. In
`stress.vantage.home.FLEETS` each scheme of `--vantage` names its fleet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from stress.planning.vantages import VantageAddress


class VantageLink(Protocol):
    """A two-way stream of messages. Sending and receiving may happen in different threads."""

    def send(self, message: bytes, /) -> None:
        """Send a message; may block while the other side is slow.

        Raises:
            OSError: the other side is gone.
        """

    def receive(self) -> bytes:
        """Wait for a message.

        Raises:
            EOFError: the other side is gone.
        """


class Gateway(Protocol):
    """Our end of the way to one machine."""

    @property
    def name(self) -> str:
        """Name of the vantage; of several that one address opens, each has its own."""

    @property
    def link(self) -> VantageLink:
        """What is said to the far side, and by it."""

    def last_words(self) -> str:
        """Return what the transport printed about its end, such as ssh's answer; else empty."""

    def close(self, patience_s: float) -> None:
        """Cut the link; whatever does not end by itself within `patience_s` is killed."""


class Fleet(Protocol):
    """Opens the gateways of one `--vantage`."""

    def __call__(
        self, address: VantageAddress, notify: Callable[[str], None], /
    ) -> Sequence[Gateway]:
        """Connect, and check that there is a tls-stress of this release.

        Args:
            address: as the user gave it.
            notify: prints a message.

        Raises:
            UsageError: it cannot be reached, or cannot do a part; what to do about it is said.
        """
