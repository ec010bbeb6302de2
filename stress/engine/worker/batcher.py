"""Rows, chains, evidence and load figures of a worker that are not yet sent to the coordinator.

Back-pressure, not loss: when the writer cannot keep up, `wait_for_room()` delays the next start.
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
"""How often a worker sends a batch: well under the second that a crash may cost."""
LIMIT = 20_000
"""Rows that may wait; beyond that nothing new is started."""
MOST_STAPLES = 1_000
"""Distinct OCSP responses that are sent; a server that makes up more is not followed."""


@dataclass(slots=True)
class Batcher:
    """Collects what ended, and sends it in batches."""

    stream: trio.SocketStream
    started: int = 0
    in_flight: int = 0
    sampler: TranscriptSampler | None = None
    """Whose transcripts are sent with the rows."""
    pending: Batch = field(default_factory=Batch)
    """What the next batch contains."""
    awake_ns: int = field(default_factory=monotonic_ns)
    """Monotonic time of the latest lag sample, or of the end of a stop."""
    _known_chains: set[bytes] = field(default_factory=set)
    _known_staples: set[bytes] = field(default_factory=set)
    _waiting: trio.lowlevel.ParkingLot = field(default_factory=trio.lowlevel.ParkingLot)
    _sending: trio.Lock = field(default_factory=trio.Lock)

    @property
    def is_full(self) -> bool:
        """True when the writer is so far behind that nothing more may be started."""
        return len(self.pending.records) >= LIMIT

    def add(
        self, record: Record, chain: tuple[bytes, ...] | None, staple: bytes | None = None
    ) -> None:
        """Add a row; certificates and staple are sent only with the first row that got them."""
        if chain and record.chain is not None and record.chain not in self._known_chains:
            self._known_chains.add(record.chain)
            self.pending.chains.append(chain)
        if staple is not None:
            digest, known = sha256(staple).digest(), self._known_staples
            if digest not in known and len(known) < MOST_STAPLES:
                known.add(digest)
                self.pending.staples.append(staple)
            if digest in known:
                self.pending.stapled[record.id] = digest
        self.pending.records.append(record)

    async def wait_for_room(self) -> None:
        """Wait until there is room for another row."""
        while self.is_full:
            await self._waiting.park()

    async def flush(self) -> None:
        """Send what there is, even without rows: the load figures are news, too."""
        batch, self.pending = self.pending, Batch()
        batch.started, batch.in_flight = self.started, self.in_flight
        batch.cpu_ns = process_time_ns()
        if self.sampler is not None:
            batch.transcripts = self.sampler.collect()
        self._waiting.unpark_all()
        await self.send(batch)

    async def send(self, message: FromWorker) -> None:
        """Send one message whole: one at a time, and never half of one when we are cancelled."""
        with trio.CancelScope(shield=True):
            async with self._sending:
                await self.stream.send_all(frame(message))

    async def send_batches(self) -> None:
        """Send a batch several times a second, until cancelled."""
        while True:
            await trio.sleep(BATCH_S)
            await self.flush()

    def add_lag(self, lag_ns: int) -> None:
        """Add a sample of how late this event loop woke up."""
        self.awake_ns = monotonic_ns()
        self.pending.lags_ns.append(lag_ns)
