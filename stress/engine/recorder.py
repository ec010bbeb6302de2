"""Judges each new chain, gives each row its final outcome, and feeds the sink.

A chain is judged once for each policy of the plan's clients, before its first row is passed on;
where one refuses it, for every client family, to tell who else would. It is judged again when the
clock crosses a date inside one of its certificates (a certificate that expires in the middle of a
run fails from then on). A stapled OCSP response belongs to the connection, not to the chain: what
it changes is told in the row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from types import MappingProxyType

from stress.model.chain import Chain, chain_hash
from stress.model.client import NO_POLICY
from stress.model.outcome import Outcome, Side
from stress.model.plan import Plan
from stress.model.record import Record
from stress.model.sink import Sink
from stress.model.transcript import Transcript
from stress.trust import Anchors, Judge, describe

_OK = "ok"
_NEVER_NS = 1 << 62
_SECOND = 1_000_000_000
_STAPLE_S = 60
"""A staple is judged anew as often as this: it begins and ends to be valid at its own times."""
_MOST_STAPLES = 1_000
"""Answers about staples that are kept."""
_MOST_TOLD = 100_000
"""Rows whose ending by a staple is kept for their transcripts, of which there are few."""


class Recorder:
    """Stands between the workers and the sink; counts what passes."""

    def __init__(self, plan: Plan, sink: Sink) -> None:
        self._trust = plan.trust
        self._sink = sink
        self._policies = [self._trust.policy or client.policy for client in plan.clients]
        anchors = Anchors(self._trust.anchors, self._trust.anchors_from, self._trust.private)
        self._judge = Judge(anchors, pins=self._trust.pins)
        self._certificates: dict[bytes, tuple[bytes, ...]] = {}
        self._refused: dict[tuple[bytes, int], str | None] = {}
        self._until_ns: dict[bytes, int] = {}
        self._sides: dict[str, Side] = {}
        self._staples: dict[bytes, bytes] = {}
        self._stapled: dict[tuple[bytes | None, str, bytes, int], str | None] = {}
        self._told: dict[int, str] = {}
        self.ended = 0
        self.sides: Counter[Side] = Counter()

    @property
    def chains(self) -> int:
        """Distinct chains seen so far."""
        return len(self._certificates)

    def take(
        self,
        records: Sequence[Record],
        chains: Sequence[tuple[bytes, ...]],
        staples: Sequence[bytes] = (),
        stapled: Mapping[int, bytes] = MappingProxyType({}),
    ) -> list[Record]:
        """Pass on what a worker sent; returns the rows as they were kept.

        Args:
            records: as the wire ended them.
            chains: those that this worker sends for the first time.
            staples: OCSP responses, likewise; an empty one stands for none.
            stapled: SHA-256 of the staple, by id of the row.

        Raises:
            RecordError: the sink could not keep it.
        """
        for certificates in chains:
            self._certificates.setdefault(chain_hash(certificates), certificates)
            self._judge.meet(certificates)
        self._staples.update((sha256(staple).digest(), staple) for staple in staples)
        final = [self._final(record, stapled.get(record.id)) for record in records]
        for record in final:
            self.sides[self._side(record.outcome)] += 1
        self.ended += len(final)
        self._sink.add_records(final)
        return final

    def keep(self, transcripts: Sequence[Transcript]) -> None:
        """Pass on what a worker kept of attempts whose rows were taken, with the final outcome.

        Raises:
            RecordError: the sink could not keep it.
        """
        if transcripts:
            self._sink.add_transcripts(
                [replace(each, record=self._final(each.record)) for each in transcripts]
            )

    def _final(self, record: Record, staple: bytes | None = None) -> Record:
        chain = record.chain
        if chain is None:
            return record
        if record.started_ns >= self._until_ns.get(chain, 0):
            self._judge_chain(chain, record.started_ns)
        if record.outcome != _OK:
            return record
        refused = self._refused[chain, record.client] or self._by_staple(record, staple)
        return record if refused is None else record._replace(outcome=refused)

    def _by_staple(self, record: Record, digest: bytes | None) -> str | None:
        """What the staple of this very connection adds to a chain that is accepted by itself.

        Verdicts are stored for chains; which node staples what can differ from one connection to
        the next under one chain, so this is told in the row alone. Its transcript asks later,
        without the staple, and is told what the row was told.
        """
        if digest is None:
            return self._told.get(record.id)
        policy = self._policies[record.client]
        at = self._trust.at if self._trust.at is not None else record.started_ns // _SECOND
        key = (record.chain, policy, digest, at // _STAPLE_S)
        if key not in self._stapled:
            if len(self._stapled) >= _MOST_STAPLES:
                self._stapled.clear()
            self._stapled[key] = self._staple_headline(record, policy, digest, at)
        headline = self._stapled[key]
        if headline is not None and len(self._told) < _MOST_TOLD:
            self._told[record.id] = headline
        return headline

    def _staple_headline(self, record: Record, policy: str, digest: bytes, at: int) -> str | None:
        if record.chain is None or policy == NO_POLICY:
            return None
        verdict = self._judge.judge(
            self._certificates[record.chain],
            host=self._trust.host,
            at=at,
            policy=policy,
            staple=self._staples[digest],
        )
        return verdict.headline.category.value if verdict.headline else None

    def _judge_chain(self, chain: bytes, now_ns: int) -> None:
        """Judge it for every policy, tell the sink, and note when the answer may change."""
        certificates = self._certificates[chain]
        at = self._trust.at if self._trust.at is not None else now_ns // _SECOND
        verdicts = self._judge.verdicts(
            certificates, host=self._trust.host, at=at, policies=self._policies
        )
        for client, policy in enumerate(self._policies):
            verdict = verdicts.get(policy)
            headline = verdict.headline if verdict is not None else None
            self._refused[chain, client] = headline.category.value if headline else None
        self._until_ns[chain] = self._next_date(certificates, now_ns)
        self._sink.add_chain(Chain(certificates), list(verdicts.values()))

    def _next_date(self, certificates: tuple[bytes, ...], now_ns: int) -> int:
        if self._trust.at is not None:
            return _NEVER_NS
        dates: list[int] = []
        for der in certificates:
            facts = describe(der)
            # A certificate is still good in the second of notAfter (RFC 5280 section 4.1.2.5).
            dates += [facts.not_before, facts.not_after + 1]
        return min((d * _SECOND for d in dates if d * _SECOND > now_ns), default=_NEVER_NS)

    def _side(self, name: str) -> Side:
        side = self._sides.get(name)
        if side is None:
            side = self._sides[name] = Outcome.parse(name).side
        return side
