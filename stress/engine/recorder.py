"""Judges each new chain, gives each row its final outcome and backend, and feeds the sink.

A chain is judged once for each policy of the plan's clients, before its first row is passed on;
where one rejects it, for every client family, to show which others would. It is judged again when
the clock crosses a date inside one of its certificates (a certificate that expires during a run
fails from then on). A stapled OCSP response belongs to the connection, not to the chain: what it
changes is stored in the row.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from hashlib import sha256

from stress.engine.key_names import KeyNames
from stress.engine.messages import Batch
from stress.model.chain import Chain, chain_hash
from stress.model.observer import Sink
from stress.model.outcome import Side, side_of
from stress.model.plan import NO_POLICY, Plan
from stress.model.record import Record
from stress.trust import describe, judge_of

_OK = "ok"
_NEVER_NS = 1 << 62
_SECOND = 1_000_000_000
_STAPLE_S = 60
"""A staple is judged again as often as this: it has a validity period of its own."""
_MOST_STAPLES = 1_000
"""Verdicts about staples that are kept."""
_Rejection = tuple[str, str]
"""The outcome, and what is wrong with the staple."""
_MOST_ROWS = 100_000
"""Rows whose outcome by a staple is kept for their transcripts, of which there are few."""


class Recorder:
    """Passes rows from the workers to the sink, and counts them."""

    def __init__(self, plan: Plan, sink: Sink) -> None:
        self._trust = plan.trust
        self._sink = sink
        self._policies = [self._trust.policy or client.policy for client in plan.clients]
        self._judge = judge_of(self._trust)
        self._certificates: dict[bytes, tuple[bytes, ...]] = {}
        self._rejections: dict[bytes, dict[str, str]] = {}
        """Chain -> policy that rejects it -> outcome."""
        self._until_ns: dict[bytes, int] = {}
        """Chain -> when its verdicts may change."""
        self._names = KeyNames(headers=plan.identify is not None)
        self._staples: dict[bytes, bytes] = {}
        self._staple_rejections: dict[tuple[bytes | None, str, bytes, int], _Rejection | None] = {}
        self._rejected_rows: dict[int, _Rejection] = {}
        """Id of a row -> outcome by its staple, and why."""
        self.ended = 0
        self.sides: Counter[Side] = Counter()

    @property
    def chains(self) -> int:
        """Distinct chains seen so far."""
        return len(self._certificates)

    def add(self, batch: Batch) -> list[Record]:
        """Pass on what a worker sent; returns the rows as they were stored.

        Raises:
            RecordError: the sink could not store it.
        """
        for certificates in batch.chains:
            self._certificates.setdefault(chain_hash(certificates), certificates)
            self._judge.meet(certificates)
        self._staples.update((sha256(staple).digest(), staple) for staple in batch.staples)
        for record in batch.records:
            if record.backend is not None:
                self._names.learn(record.address, record.backend)
        final = [self._final(record, batch.stapled.get(record.id)) for record in batch.records]
        self.sides.update(side_of(record.outcome) for record in final)
        self.ended += len(final)
        self._sink.add_records(final)
        if batch.transcripts:
            kept = [replace(each, record=self._final(each.record)) for each in batch.transcripts]
            self._sink.add_transcripts(kept)
        return final

    def _final(self, record: Record, staple: bytes | None = None) -> Record:
        chain = record.chain
        if record.backend is not None:
            record = record._replace(backend=self._names.name(record.address, record.backend))
        if chain is None:
            return record
        if record.started_ns >= self._until_ns.get(chain, 0):
            self._judge_chain(chain, record.started_ns)
        if record.outcome != _OK:
            return record
        rejection = self._rejections[chain].get(self._policies[record.client])
        if rejection is not None:
            return record._replace(outcome=rejection)
        by_staple = self._staple_rejection(record, staple)
        if by_staple is None:
            return record
        return record._replace(outcome=by_staple[0], detail=by_staple[1])

    def _staple_rejection(self, record: Record, digest: bytes | None) -> _Rejection | None:
        """Judge the staple of this very connection, under a chain that is accepted by itself.

        Verdicts are stored for chains; under one chain each node may staple something else, so the
        outcome is stored in the row alone. The transcript comes later and without its staple: it
        gets the outcome that its row got.
        """
        if digest is None:
            return self._rejected_rows.get(record.id)
        policy = self._policies[record.client]
        at = self._trust.at if self._trust.at is not None else record.started_ns // _SECOND
        key = (record.chain, policy, digest, at // _STAPLE_S)
        if key not in self._staple_rejections:
            if len(self._staple_rejections) >= _MOST_STAPLES:
                self._staple_rejections.clear()
            headline = None
            if record.chain is not None and policy != NO_POLICY:
                headline = self._judge.judge(
                    self._certificates[record.chain],
                    host=self._trust.host,
                    at=at,
                    policy=policy,
                    staple=self._staples[digest],
                ).headline
            self._staple_rejections[key] = (
                (headline.category.value, headline.detail) if headline else None
            )
        rejection = self._staple_rejections[key]
        if rejection is not None and len(self._rejected_rows) < _MOST_ROWS:
            self._rejected_rows[record.id] = rejection
        return rejection

    def _judge_chain(self, chain: bytes, now_ns: int) -> None:
        """Judge it for every policy, pass it to the sink, and note when a verdict may change."""
        certificates = self._certificates[chain]
        at = self._trust.at if self._trust.at is not None else now_ns // _SECOND
        verdicts = self._judge.verdicts(
            certificates, host=self._trust.host, at=at, policies=self._policies
        )
        self._rejections[chain] = {
            policy: verdict.headline.category.value
            for policy, verdict in verdicts.items()
            if verdict.headline is not None
        }
        self._sink.add_chain(Chain(certificates), list(verdicts.values()))
        self._until_ns[chain] = _NEVER_NS
        if self._trust.at is None:
            dates: list[int] = []
            for der in certificates:
                facts = describe(der)
                # A certificate is still good in the second of notAfter (RFC 5280 section 4.1.2.5).
                dates += [facts.not_before * _SECOND, (facts.not_after + 1) * _SECOND]
            self._until_ns[chain] = min((d for d in dates if d > now_ns), default=_NEVER_NS)
