"""Here: starts the parts together, follows them, and makes one run of their files.

One thread reads what each part sends, and this one decides. A part that is lost ends by itself; its
load never moves to another. Before *Go* whatever is wrong with one ends all, and nothing was sent.
"""

from __future__ import annotations

import hashlib
import lzma
import signal
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from queue import Empty, Queue
from secrets import token_hex
from tempfile import TemporaryDirectory
from threading import Event, Thread, current_thread, main_thread
from time import monotonic, time_ns
from typing import IO, TypeVar

from stress.errors import RecordError, UsageError
from stress.model.observer import Observer
from stress.model.plan import Plan
from stress.model.record import Record
from stress.model.run import WAS_LOST, Progress, Vantage, VantageProgress
from stress.planning.consent import allow
from stress.planning.request import Request
from stress.planning.vantages import Scheme, VantageAddress, listed, vantages_of
from stress.runner.merge import merge
from stress.runner.observers import BusySign, Display, observers_for
from stress.runner.run import CLOSING, RunLocation
from stress.store import default_name, open_run
from stress.text.escape import printable
from stress.text.numbers import counted
from stress.vantage import messages
from stress.vantage.link import Fleet, Gateway
from stress.vantage.messages import FromPart, ToPart, encode, from_part
from stress.vantage.shares import shares_of

FLEETS: Mapping[Scheme, str] = {
    **dict.fromkeys(Scheme, "gateways.open_execnet"),
    Scheme.DASK: "cluster.open_dask",
}
"""What opens the gateways of each kind of address: a `Fleet` in this room, imported when needed."""
EXCHANGES = 8
"""Of pings and pongs, before the start: the quickest one tells the offset of a clock best."""
READY_S = 120.0
"""Until all parts are ready; the imports of a busy machine take many seconds."""
LEAD_NS = 500_000_000
"""Between the last *Ready* and the start, so that every part has its *Go* by then."""
MOST_SPREAD_NS = 50_000_000
"""A start that is spread further is a doubt about the run."""
BEAT_S = 0.5
SILENCE_S = 8.0
"""Without a message for so long, a part counts as lost; it ends by itself before that. Looks are
counted, as there."""
TICK_S = 0.2
_SHOWN, _LONGEST = 8, 400
_MOST_FILE = 1 << 40

_Message = TypeVar("_Message", bound=FromPart)


@dataclass(slots=True, eq=False)
class RemotePart:
    """One vantage, as it is seen from here."""

    address: VantageAddress
    gateway: Gateway
    inbox: Queue[tuple[RemotePart, FromPart | None]]
    """Shared by all parts; None: the link is gone."""
    place: Path
    """Where its run file comes to."""
    offset_ns: int = 0
    """How far its clock is ahead of ours, plus or minus `error_ns`."""
    error_ns: int = 1 << 62
    examined: messages.Examined | None = None
    there: str = ""
    """Path of its run file, there."""
    late_ns: int | None = None
    """How long after the common start it began; None: it has not told."""
    progress: Progress | None = None
    heard: bool = True
    silent: int = 0
    """Looks since something was heard."""
    home: bool = False
    """Its file came home whole."""
    over: bool = False
    """Nothing more comes from it."""
    lost: str = ""
    """How it was lost."""
    _file: IO[bytes] | None = None
    _expected: messages.Ended | None = None
    _unpacker: zlib._Decompress | lzma.LZMADecompressor = field(default_factory=zlib.decompressobj)

    @property
    def name(self) -> str:
        """Of the vantage."""
        return self.gateway.name

    def say(self, message: ToPart) -> None:
        """Send a message; that the link is gone is noticed by its reader."""
        with suppress(OSError):
            self.gateway.link.send(encode(message))

    def listen(self) -> None:
        """Pass on what it sends, until the link ends; its file is written by this thread."""
        with suppress(EOFError, OSError, ValueError, zlib.error, lzma.LZMAError):
            while True:
                message = from_part.decode(self.gateway.link.receive())
                now_ns, self.heard = time_ns(), True
                if isinstance(message, messages.Pong):
                    error_ns = (now_ns - message.sent_ns + 1) // 2
                    if 0 <= error_ns < self.error_ns:
                        self.error_ns = error_ns
                        self.offset_ns = message.clock_ns - (now_ns + message.sent_ns) // 2
                if isinstance(message, messages.Ended):
                    self._expected = message
                    self._unpacker = lzma.LZMADecompressor() if message.xz else zlib.decompressobj()
                if isinstance(message, messages.FilePiece):
                    self._write(message.data)
                else:
                    self.inbox.put((self, message))
                if self.home:
                    break
        self.inbox.put((self, None))

    def _write(self, packed: bytes) -> None:
        """Take a piece of the file; after the last, check it.

        Raises:
            ValueError: it is not what was sent.
        """
        if self._expected is None or not 0 < self._expected.size < _MOST_FILE:
            raise ValueError("a piece of no file")
        if self._file is None:
            self._file = self.place.open("xb")
        if packed:
            left = self._expected.size - self._file.tell()
            data = self._unpacker.decompress(packed, left + 1)
            if len(data) > left:
                raise ValueError("more than was announced")
            self._file.write(data)
        else:
            self._file.close()
            with self.place.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").digest()
            if digest != self._expected.sha256:
                raise ValueError("another file than was sent")
            self.home = True
            self.say(messages.Keep())

    def close(self) -> None:
        """Let go of it."""
        if self._file is not None:
            self._file.close()
        self.gateway.close(2.0 if self.home else 0.0)


def record_from(settings: Request, plan: Plan, location: RunLocation, display: Display) -> Path:
    """Perform a plan from several places at once, and record it; returns the finished run file.

    Args:
        settings: names the places; with the profile filled in.
        plan: of all of them together; its addresses are those seen here.
        location: where the file goes.
        display: how the run shows itself.

    Raises:
        UsageError: a place cannot be reached or cannot do its part. Nothing was sent.
        RecordError: no file came home, or the one here could not be written.
        RunFileError: what came home is damaged.
    """
    places = vantages_of(settings)
    by_hand = settings.addresses_inline or settings.addresses_file
    lookup = not (by_hand or plan.proxy or plan.target.literal)
    if plan.authorized:
        plan = replace(plan, authorized=f"{plan.authorized}, from {listed(places)}")
        display.notify(f"authorized by {plan.authorized}")
    for note in plan.notes:
        if not note.startswith(CLOSING):
            display.notify(note)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="tls-stress-")))
        terminal = display.stream if display.rewrites else None
        with BusySign(terminal, f"starting {counted(len(places), 'vantage')}") as sign:
            told = replace(display, notify=sign.around(display.notify))
            run = _Run(plan, _open_all(places, folder, told.notify, stack), told)
            run.prepare(settings.value("processes", int), lookup=lookup)
        run.display = display
        run.perform()
        home = [part for part in run.parts if part.home]
        doubts = run.doubts()
        if not home:
            raise RecordError(
                "no vantage sent its run file home: there is nothing to report",
                "\n".join(doubts),
            )
        for doubt in doubts:
            display.notify(doubt)
        name = location.name or default_name(plan.target.host, datetime.now(UTC))
        path = merge(
            [str(part.place) for part in home],
            RunLocation(location.folder, name),
            display.notify,
            doubts,
        )
    with open_run(path) as merged:
        stayed = [one for one in merged.facts().vantages if one.rows or one.secrets]
    for one in stayed[:_SHOWN]:
        kinds = (("all rows", one.rows), ("TLS secrets of its evidence", one.secrets))
        for kind, file in kinds:
            if file:
                where = printable(f"{one.host}: {file}", _LONGEST)
                display.notify(f"{one.name}: {kind} stay on {where}")
    if len(stayed) > _SHOWN:
        display.notify(f"and so on {counted(len(stayed) - _SHOWN, 'other vantage')}")
    return path


def _open_all(
    places: Sequence[VantageAddress], folder: Path, notify: Callable[[str], None], stack: ExitStack
) -> list[RemotePart]:
    """Connect to all places at once.

    Raises:
        UsageError: one cannot be reached; the others are let go.
    """
    inbox: Queue[tuple[RemotePart, FromPart | None]] = Queue()
    parts: list[RemotePart] = []
    fleets: list[Fleet] = []
    for place in places:
        module, _, name = FLEETS[place.scheme].partition(".")
        fleets.append(getattr(import_module(f"stress.vantage.{module}"), name))
    with ThreadPoolExecutor(len(places)) as pool:
        tasks = [
            pool.submit(fleet, place, notify) for fleet, place in zip(fleets, places, strict=True)
        ]
    errors = []
    for place, task in zip(places, tasks, strict=True):
        error = task.exception()
        if error is not None:
            errors.append(error)
            continue
        for gateway in task.result():
            part = RemotePart(place, gateway, inbox, folder / f"{len(parts)}.db")
            stack.callback(part.close)
            parts.append(part)
    if errors:
        raise errors[0]
    for name, times in Counter(part.name for part in parts).items():
        if times > 1:
            raise UsageError(
                f"--vantage: {times} vantages are called {name}",
                "The workers of a Dask cluster are numbered: give the other one another name.",
            )
    return parts


class _Run:
    """A run from many machines, from the first message to the last."""

    def __init__(self, plan: Plan, parts: list[RemotePart], display: Display) -> None:
        self.plan, self.parts, self.display = plan, parts, display
        self._inbox = parts[0].inbox
        self._stopped: str | None = None
        self.spread_ns = 0
        """How far apart the starts were at most; 0: not known."""
        self._interrupts = self._obeyed = 0
        self._pausing = False
        self._over = Event()
        self._chains: set[bytes] = set()
        self._numbers: dict[str, tuple[int, int, list[int]]] = {}
        """By vantage: its processes, the first of them among all, and where its addresses are."""

    # -- before the start --------------------------------------------------------------------------

    def prepare(self, processes: int | None, *, lookup: bool) -> None:
        """Examine all, divide the load, and wait until all are ready.

        Args:
            processes: of all machines together, where the user gave that.
            lookup: whether the addresses come from DNS, so that each place asks its own.

        Raises:
            UsageError: one cannot do its part, or the total needs consent that is not given.
        """
        for thread in (*(part.listen for part in self.parts), self.beat):
            Thread(target=thread, daemon=True).start()
        for _ in range(EXCHANGES):
            self._gather(messages.Pong, lambda _: messages.Ping(time_ns()))
        for part, answer in self._gather(
            messages.Examined, lambda _: messages.Examine(self.plan, lookup)
        ).items():
            part.examined = answer
        seen = [part.examined.addresses for part in self.parts if part.examined]
        addresses = tuple(dict.fromkeys(address for one in seen for address in one))
        if self.plan.authorized is None and set(addresses) - set(self.plan.addresses):
            self.plan = allow(replace(self.plan, addresses=addresses), ())
        examined = [part.examined for part in self.parts if part.examined]
        wishes = [part.address.weight for part in self.parts]
        plans = shares_of(self.plan, examined, processes, wishes)
        self.plan = replace(
            self.plan,
            addresses=addresses,
            load=replace(self.plan.load, processes=sum(one.load.processes for one in plans)),
        )
        assigned = {}
        for part, plan in zip(self.parts, plans, strict=True):
            assert part.examined is not None
            first = sum(processes for processes, *_ in self._numbers.values())
            index = [addresses.index(address) for address in plan.addresses]
            self._numbers[part.name] = plan.load.processes, first, index
            assigned[part.name] = self._assignment(part, plan, part.examined)
            answers = ", ".join(str(address) for address in plan.addresses[:3])
            more = len(plan.addresses) - 3
            self.display.notify(
                f"{part.name}: {printable(part.examined.host, 60)},"
                f" {printable(part.examined.capacity, 80)}; clock {part.offset_ns / 1e6:+.1f} ms"
                f" ± {part.error_ns / 1e6:.1f}; target at {answers}"
                + (f" and {more} more" if more > 0 else "")
            )
        for part, ready in self._gather(messages.PartReady, lambda one: assigned[one.name]).items():
            part.there = ready.file

    def _assignment(
        self, part: RemotePart, plan: Plan, examined: messages.Examined
    ) -> messages.Assign:
        vantage = Vantage(
            part.name,
            examined.host,
            0,
            examined.networks,
            examined.versions,
            tuple(dict.fromkeys(address.ip for address in examined.addresses)),
            part.offset_ns,
            part.error_ns,
        )
        host = "".join(c if c.isalnum() or c in "-." else "-" for c in plan.target.host)[:80]
        name = f"{host}-{part.name}-{token_hex(4)}"
        watched = bool(self.plan.goals) or self.display.rewrites or bool(self.display.watching)
        secrets_home = part.address.secrets_home or part.address.scheme is Scheme.LOCAL
        return messages.Assign(plan, vantage, name, watched, part.address.rows_home, secrets_home)

    def _gather(
        self, kind: type[_Message], question: Callable[[RemotePart], ToPart]
    ) -> dict[RemotePart, _Message]:
        """Ask all parts, and return their answers.

        Raises:
            UsageError: one refuses, is lost, or does not answer.
        """
        answers: dict[RemotePart, _Message] = {}
        for part in self.parts:
            part.say(question(part))
        end_s = monotonic() + READY_S
        for part, message in self._events(end_s):
            if isinstance(message, messages.Refused):
                raise UsageError(
                    f"{part.name}: {printable(message.message)}",
                    message.hint and printable(message.hint, 400),
                )
            if message is None:
                said = part.gateway.last_words()
                raise UsageError(
                    f"{part.name}: its link ended before the start, so nothing was sent",
                    f"It said:\n{said}" if said else "Try again, or leave that vantage out.",
                )
            if isinstance(message, kind):
                answers[part] = message
            if len(answers) == len(self.parts):
                return {part: answers[part] for part in self.parts}
        silent = ", ".join(part.name for part in self.parts if part not in answers)
        raise UsageError(
            f"{silent}: not ready within {READY_S:.0f} s, so nothing was sent",
            "Try again, or leave out what is too slow.",
        )

    def _events(self, end_s: float) -> Iterator[tuple[RemotePart, FromPart | None]]:
        """What the parts send until then."""
        while (left_s := end_s - monotonic()) > 0:
            with suppress(Empty):
                yield self._inbox.get(timeout=left_s)

    def beat(self) -> None:
        """Tell the parts that we are here, in a thread of its own, until all are over."""
        while not self._over.wait(BEAT_S):
            self._tell(messages.Ping(time_ns()))

    # -- the run -----------------------------------------------------------------------------------

    def perform(self) -> None:
        """Start all, and follow them until each has sent its file or is lost."""
        at_ns = time_ns() + LEAD_NS + 2 * max(part.error_ns for part in self.parts)
        for part in self.parts:
            part.say(messages.Go(at_ns + part.offset_ns))
        begun_s = monotonic() + (at_ns - time_ns()) / 1e9
        notices: list[str] = []
        shown = self.display
        if shown.rewrites:  # a line in between would stay in the live view
            self.display = replace(shown, notify=notices.append)
        with (
            self.interruptible(),
            observers_for(self.plan, self.display) as observers,
        ):
            while not all(part.over for part in self.parts):
                for part, message in self._events(monotonic() + TICK_S):
                    self.take(part, message, observers)
                for part in self.parts:
                    part.silent, part.heard = 0 if part.heard else part.silent + 1, False
                    if not part.over and part.silent * TICK_S > SILENCE_S:
                        self._lose(part, f"nothing was heard of it for {SILENCE_S:.0f} s")
                self.steer(self._progress(max(0.0, monotonic() - begun_s)), observers)
        self._over.set()
        for notice in notices:
            shown.notify(notice)

    def steer(self, progress: Progress, observers: Sequence[Observer]) -> None:
        """Pass on what the user and the observers want: interrupt, stop, pause."""
        reasons = [observer.on_progress(progress) for observer in observers]
        reason = next(filter(None, reasons), None)
        if self._obeyed < self._interrupts:
            self._obeyed += 1
            self._tell(messages.Stop())
        elif reason is not None and self._stopped is None:
            self._stopped = reason
            self._tell(messages.Stop(reason))
        wish = self._stopped is None and any(one.wants_pause() for one in observers)
        if wish != self._pausing:
            self._pausing = wish
            self._tell(messages.Pause(wish))

    def _tell(self, message: ToPart) -> None:
        for part in self.parts:
            if not part.over:
                part.say(message)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Count signals instead of dying of them: the parts are told, and files come home."""
        if current_thread() is not main_thread():
            yield
            return

        def count(*_: object) -> None:
            self._interrupts += 1

        kinds = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {kind: signal.signal(kind, count) for kind in kinds}
        try:
            yield
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)

    def take(
        self, part: RemotePart, message: FromPart | None, observers: Sequence[Observer]
    ) -> None:
        if isinstance(message, messages.Started):
            part.late_ns = message.late_ns
            self._tell_spread()
        elif isinstance(message, messages.News):
            part.progress = message.progress or part.progress
            records = [self._renumbered(part, record) for record in message.records]
            self._chains.update(record.chain for record in records if record.chain is not None)
            for observer in observers if records else ():
                observer.on_records(records)
        elif isinstance(message, messages.Refused):
            part.lost = f"it stopped: {printable(message.message)}"
        elif message is None:
            if not part.home and not part.over:
                self._lose(part, part.lost or "its link ended")
            part.over = True

    def _lose(self, part: RemotePart, why: str) -> None:
        part.over, part.lost = True, why
        self.display.notify(f"{part.name} is lost: {why}")
        Thread(target=part.gateway.close, args=(0.0,), daemon=True).start()

    def _tell_spread(self) -> None:
        """Say how far apart the starts were, once all have begun."""
        late = [part.late_ns for part in self.parts]
        begun = [each for each in late if each is not None]
        if len(self.parts) > 1 and len(begun) == len(late):
            self.spread_ns = max(begun) - min(begun) + 2 * max(one.error_ns for one in self.parts)
            self.display.notify(
                f"{len(late)} vantages began within {self.spread_ns / 1e6:.1f} ms, by their clocks"
            )

    def _renumbered(self, part: RemotePart, record: Record) -> Record:
        """The record with an id, an address and a vantage that all parts share."""
        processes, first, index = self._numbers[part.name]
        worker, turn = record.id % processes, record.id // processes
        known = record.address < len(index)
        return record._replace(
            id=turn * self.plan.load.processes + first + worker,
            address=index[record.address] if known else len(self.plan.addresses),
            started_ns=record.started_ns - part.offset_ns,
            due_ns=record.due_ns - part.offset_ns,
        )

    def _progress(self, elapsed_s: float) -> Progress:
        load, now = self.plan.load, [(part, part.progress) for part in self.parts]
        told = [(part, one) for part, one in now if one is not None]
        live = [one for part, one in told if not part.over]
        every = [one for _, one in told]
        return Progress(
            elapsed_s=elapsed_s,
            total=load.count,
            duration_s=load.duration_s,
            started=sum(one.started for one in every),
            ended=sum(one.ended for one in every),
            failed=sum(one.failed for one in every),
            ours=sum(one.ours for one in every),
            not_sent=sum(one.not_sent for one in every),
            chains=max([len(self._chains), *(one.chains for one in every)]),
            in_flight=sum(one.in_flight for one in live),
            rate=sum(one.rate for one in live),
            lag_ns=max((one.lag_ns for one in live), default=0),
            stood_s=max((one.stood_s for one in every), default=0.0),
            vantages=tuple(
                VantageProgress(
                    part.name,
                    replace(one, in_flight=0, rate=0.0) if part.over else one,
                    lost=bool(part.lost),
                )
                for part, one in told
            ),
        )

    def doubts(self) -> list[str]:
        """What the run file says about the vantages that are lost, and about the start."""
        found = [] if self._stopped is None else [self._stopped]
        if self.spread_ns > MOST_SPREAD_NS:
            found.append(f"the vantages began up to {self.spread_ns / 1e6:,.0f} ms apart")
        for part in self.parts:
            if not part.home:
                begun = part.progress.started if part.progress else 0
                found.append(
                    f"{part.name}{WAS_LOST}{part.lost}): its part is not in this file, of which it"
                    f" had begun {begun:,} handshakes when it was last heard of; what it recorded"
                    f" may be there: {printable(part.there)}"
                )
        return found
