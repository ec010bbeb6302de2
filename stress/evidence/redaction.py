"""Removes from evidence and reports what is private, so that they can be shared.

Left out: secrets, the name of this machine, directories (which name users), local addresses
(replaced by documentation addresses: RFC 5737, RFC 3849, also in what was spoken before TLS), the
PROXY header, which repeats them, and all of our own bytes after the ClientHello when there was a
client certificate, which may name a person. The target's own addresses stay: whoever fixes it needs
them, also where target and tester are one machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from stress.clients.capture import HELLO_START
from stress.evidence.selection import Case, Pair
from stress.model.outcome import Stage
from stress.model.plan import Plan, Proxy
from stress.model.run import RunFacts, RunView, RunWithTranscripts
from stress.model.transcript import Transcript, preamble_bytes

_FIRST_V4 = int(IPv4Address("192.0.2.1"))
_FIRST_V6 = int(IPv6Address("2001:db8::1"))
_MOST_V4 = 254
_PATH = re.compile(
    r"(?<![\w/:.~-])(?:~|\.{1,2})?/[^\s/:;,'\"()]+(?:/[^\s/:;,'\"()]+)*/([^\s/:;,'\"()]+)"
)
"""A path of at least two parts in a sentence; its last part is kept."""


class Mask:
    """Replaces the local addresses of one run, each always by the same documentation address."""

    def __init__(self, transcripts: Sequence[Transcript], plan: Plan) -> None:
        self._replacements: dict[str, str] = {}
        local = [*(each.local_ip for each in transcripts), *plan.sources]
        local += [plan.proxy.ip] if plan.proxy else []
        for position, text in enumerate(dict.fromkeys(local)):
            if ip_address(text).version == 4:
                replacement = str(IPv4Address(_FIRST_V4 + position % _MOST_V4))
            else:
                replacement = str(IPv6Address(_FIRST_V6 + position))
            self._replacements[text] = replacement
        self._targets = {each.ip for each in plan.addresses}
        self._targets |= {each.address.ip for each in transcripts}
        self._has_client_certificate = plan.client_certificate is not None

    def case(self, case: Case) -> Case:
        """The same case with every connection masked."""
        pairs = (
            Pair(self.transcript(pair.failing), pair.control and self.transcript(pair.control))
            for pair in case.pairs
        )
        return replace(case, pairs=tuple(pairs))

    def transcript(self, transcript: Transcript) -> Transcript:
        """The same connection without what is private."""
        proxy = transcript.proxy
        local, other = transcript.local_ip, self._replacements[transcript.local_ip]
        sent = [place for place, flight in enumerate(transcript.flights) if flight.sent]
        hellos = (one for one in sent if HELLO_START.search(transcript.flights[one].data))
        in_clear = transcript.record.stage == Stage.STARTTLS
        hello = len(transcript.flights) if in_clear else next(hellos, next(iter(sent), 0))
        flights = []
        for place, flight in enumerate(transcript.flights):
            data = flight.data
            if place in sent and place <= hello:
                data = data[preamble_bytes(data) :]
            if place < hello:  # what asks for TLS names us, and so may the answer
                data = data.replace(local.encode(), other.encode())
            if place <= hello or not (flight.sent and self._has_client_certificate):
                flights.append(replace(flight, data=data))
        detail = transcript.record.detail
        return replace(
            transcript,
            record=transcript.record._replace(detail=detail and self.text(detail)),
            local_ip=other,
            proxy=proxy and replace(proxy, ip=self._replacements.get(proxy.ip, proxy.ip)),
            secrets=(),
            flights=tuple(flights),
        )

    def text(self, text: str) -> str:
        """The same text with the local addresses replaced, except where they are the target's."""
        for local, other in self._replacements.items():
            if local not in self._targets:
                text = re.sub(rf"(?<![\w.:]){re.escape(local)}(?![\w:]|\.\d)", other, text)
        return text

    def facts(self, facts: RunFacts) -> RunFacts:
        """The same run, of an unnamed machine, its files in the usual folder."""
        plan, records, joined = facts.plan, facts.records, facts.joined
        # A vantage may be named after its machine.
        renamed = {
            one.name: f"vantage-{number}"
            for number, one in enumerate(facts.vantages, 1)
            if one.name == one.host.partition(" ")[0]
        }
        stores = plan.trust.stores
        trust = replace(
            plan.trust,
            anchors_from=Path(plan.trust.anchors_from).name,
            stores=stores and Path(stores).name,
        )
        plan = replace(
            plan,
            profile=Path(plan.profile).name,
            resolver="IP" if plan.resolver else None,
            proxy=plan.proxy and self._proxy(plan.proxy),
            proxy_authorization="FILE" if plan.proxy_authorization else None,
            trust=trust,
            sources=tuple(self._replacements.get(each, each) for each in plan.sources),
            notes=tuple(map(self._sentence, plan.notes)),
        )
        if records is not None:
            records = replace(records, files=tuple(Path(each).name for each in records.files))
        if joined is not None:
            joined = replace(joined, files=tuple(Path(each).name for each in joined.files))
        reasons = list(map(self._sentence, facts.reasons))
        for name, other in renamed.items():
            whole = re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-]|\.\w)")
            reasons = [whole.sub(other, each) for each in reasons]
        return replace(
            facts,
            file=f"results/{facts.name}.db",
            host="",
            plan=plan,
            records=records,
            joined=joined,
            vantages=tuple(
                replace(
                    one,
                    name=renamed.get(one.name, one.name),
                    host="",
                    rows="",
                    secrets="",
                    networks=tuple(
                        self._replacements[each]
                        for each in one.networks
                        if each in self._replacements
                    ),
                )
                for one in facts.vantages
            ),
            reasons=tuple(reasons),
            made_now=False,
        )

    def _proxy(self, proxy: Proxy) -> Proxy:
        """The proxy, unnamed: it may be a company's own."""
        ip = self._replacements.get(proxy.ip, proxy.ip)
        return replace(proxy, host=ip if proxy.host == proxy.ip else "proxy.invalid", ip=ip)

    def _sentence(self, text: str) -> str:
        return _PATH.sub(r"\1", self.text(text))


@dataclass(frozen=True, slots=True)
class SharedRun(RunView):
    """A `Run` of which nothing private is told, whatever form its report has."""

    mask: Mask
    kept: tuple[Transcript, ...]

    @classmethod
    def of(cls, run: RunWithTranscripts) -> SharedRun:
        """The same run without what is private."""
        kept = tuple(run.transcripts())
        return cls(run, Mask(kept, run.facts().plan), kept)

    def facts(self) -> RunFacts:
        return self.mask.facts(self.run.facts())

    def transcripts(self) -> Iterator[Transcript]:
        return map(self.mask.transcript, self.kept)
