"""Takes out of the evidence what is nobody else's business, so that it can be mailed.

Left out: secrets, local addresses (documentation addresses stand for them: RFC 5737, RFC 3849),
the PROXY header, which repeats them, and all of our own bytes after the ClientHello when there was
a client certificate, whose name may be a person's. The target's own addresses stay: whoever mends
it needs them, also where target and tester are one machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address

from stress.model.plan import Plan
from stress.model.transcript import Flight, Transcript, preamble_bytes

_FIRST_V4 = int(IPv4Address("192.0.2.1"))
_FIRST_V6 = int(IPv6Address("2001:db8::1"))
_MOST_V4 = 254


class Mask:
    """What stands for what."""

    def __init__(self, transcripts: Sequence[Transcript], plan: Plan) -> None:
        """Collects the local addresses of a run."""
        local = [*(each.local_ip for each in transcripts), *plan.sources]
        self._stands_for = _documentation(dict.fromkeys(local))
        self._targets = {each.ip for each in plan.addresses}
        self._targets |= {each.address.ip for each in transcripts}
        self._certified = plan.client_certificate is not None

    def transcript(self, transcript: Transcript) -> Transcript:
        """The same connection without what is private."""
        return replace(
            transcript,
            local_ip=self._stands_for[transcript.local_ip],
            secrets=(),
            flights=tuple(self._flights(transcript.flights)),
        )

    def text(self, text: str) -> str:
        """The same text with the local addresses replaced, except where they are the target's."""
        for local, other in self._stands_for.items():
            if local not in self._targets:
                text = re.sub(rf"(?<![\w.:]){re.escape(local)}(?![\w:]|\.\d)", other, text)
        return text

    def _flights(self, flights: Sequence[Flight]) -> Iterable[Flight]:
        opening = next((flight for flight in flights if flight.sent), None)
        for flight in flights:
            if flight is opening:
                yield replace(flight, data=flight.data[preamble_bytes(flight.data) :])
            elif not (flight.sent and self._certified):
                yield flight


def _documentation(local: Iterable[str]) -> dict[str, str]:
    """Each local address and what stands for it."""
    found: dict[str, str] = {}
    for place, text in enumerate(local):
        if ip_address(text).version == 4:
            found[text] = str(IPv4Address(_FIRST_V4 + place % _MOST_V4))
        else:
            found[text] = str(IPv6Address(_FIRST_V6 + place))
    return found
