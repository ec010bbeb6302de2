"""What a worker has seen and not yet sent home: rows, chains, evidence, and how the loop feels.

Back-pressure, not loss: when the writer cannot keep up, `room()` holds the next start back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from time import monotonic_ns, process_time_ns

import trio

from stress.engine.messages import Batch, FromWorker, frame
from stress.engine.worker.transcript_sampler import TranscriptSampler
from stress.model.record import Record

BATCH_S = 0.2
"""How often a worker reports home: well under the second that a crash may cost."""
LIMIT = 20_000
"""Rows that may wait; beyond that nothing new is started."""
LAG_SAMPLE_S = 0.02
MOST_STAPLES = 1_000
"""Distinct OCSP responses that are reported; a server that makes up more is not followed."""


@dataclass(slots=True)
class Batcher:
    """Collects what ended, and sends it in batches."""

    home: trio.SocketStream
    started: int = 0
    in_flight: int = 0
    witness: TranscriptSampler | None = None
    """Whose transcripts travel with the rows."""
    canaries: list[int | None] = field(default_factory=list)
    """How long a known-good server took, in nanoseconds; None: it failed."""
    _records: list[Record] = field(default_factory=list)
    _chains: list[tuple[bytes, ...]] = field(default_factory=list)
    _staples: list[bytes] = field(default_factory=list)
    _stapled: dict[int, bytes] = field(default_factory=dict)
    _known_staples: set[bytes] = field(default_factory=set)
    _known: set[bytes] = field(default_factory=set)
    _lags_ns: list[int] = field(default_factory=list)
    _sent: trio.Event = field(default_factory=trio.Event)
    _voice: trio.Lock = field(default_factory=trio.Lock)

    @property
    def is_full(self) -> bool:
        """True when the writer is so far behind that nothing more may be started."""
        return len(self._records) >= LIMIT

    def add(
        self, record: Record, chain: tuple[bytes, ...] | None, staple: bytes | None = None
    ) -> None:
        """Keep a row; the certificates and the staple only with the first row that met them."""
        if chain and record.chain is not None and record.chain not in self._known:
            self._known.add(record.chain)
            self._chains.append(chain)
        if staple is not None:
            self._add_staple(record.id, staple)
        self._records.append(record)

    def _add_staple(self, row: int, staple: bytes) -> None:
        digest = sha256(staple).digest()
        if digest not in self._known_staples:
            if len(self._known_staples) >= MOST_STAPLES:
                return
            self._known_staples.add(digest)
            self._staples.append(staple)
        self._stapled[row] = digest

    async def room(self) -> None:
        """Wait until there is room for another row."""
        while self.is_full:
            await self._sent.wait()

    async def flush(self) -> None:
        """Send what is there, even if it is nothing: the figures are news, too."""
        records, self._records = self._records, []
        chains, self._chains = self._chains, []
        staples, self._staples = self._staples, []
        stapled, self._stapled = self._stapled, {}
        lags, self._lags_ns = self._lags_ns, []
        self._sent.set()
        self._sent = trio.Event()
        kept = self.witness.collect() if self.witness is not None else []
        canaries, self.canaries = self.canaries, []
        batch = Batch(
            *(records, chains, self.started, self.in_flight, lags, process_time_ns(), kept),
            canaries=canaries,
            staples=staples,
            stapled=stapled,
        )
        await self.say(batch)

    async def say(self, word: FromWorker) -> None:
        """Send one message whole: one at a time, and never half of one when we are cancelled."""
        with trio.CancelScope(shield=True):
            async with self._voice:
                await self.home.send_all(frame(word))

    async def report(self) -> None:
        """Send a batch several times a second, for ever."""
        while True:
            await trio.sleep(BATCH_S)
            await self.flush()

    async def watch_lag(self) -> None:
        """Measure how late this event loop wakes up, for ever."""
        while True:
            before = monotonic_ns()
            await trio.sleep(LAG_SAMPLE_S)
            self._lags_ns.append(max(0, monotonic_ns() - before - int(LAG_SAMPLE_S * 1e9)))
