"""The life of a connection on which something is spoken before TLS: with a proxy, or for STARTTLS.

It is an `Attempt` with one phase more, between CONNECTING and HELLO_SENT:

    DIALOGUE     Read what the other side says, feed it to the dialogue, send its answer; and so on,
                 until there is a go-ahead, or it is known that there never will be. The go-ahead of
                 a proxy begins the next dialogue, that of the last one TLS.

A kind of its own, so that a handshake that begins with TLS pays nothing for it. What was spoken has
its own times, `proxy_ns` and `starttls_ns`; the target's own time counts from the ClientHello on.

What is tricky:

* Until a proxy gave its go-ahead, all that happens is the proxy's doing, or that of the path to it:
  it never counts against the target, also where the proxy says that the target did not answer.
* Behind a proxy's go-ahead the target may have spoken already, in the same segment.
* Credentials for a proxy are sent, and kept nowhere.
* A PROXY header is for the target, so it follows the proxy's go-ahead.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic_ns

from stress.dialogues import SCRIPTS
from stress.dialogues.dialogue import Dialogue
from stress.dialogues.proxies import ProxyDialogue, read_credentials
from stress.engine.worker import timestamps
from stress.engine.worker.attempt import (
    Attempt,
    AttemptPhase,
    AttemptSpec,
    Opening,
    WorkerContext,
)
from stress.engine.worker.timestamps import RESET, SENT, FlightTimer, event
from stress.host.clocks import enable_kernel_stamps
from stress.model.outcome import Category, Kind, Outcome, Stage
from stress.model.plan import Plan
from stress.model.record import Record

_BY_THE_PROXY = {
    Category.TIMEOUT_CONNECT: "the proxy did not answer the SYN in time",
    Category.TIMEOUT_HANDSHAKE: "the proxy gave no answer in time",
    Category.EOF: "the proxy closed the connection without an answer",
    Category.RESET: "the proxy reset the connection",
    Category.REFUSED: "the proxy's address refused the connection",
    Category.UNREACHABLE: "the proxy cannot be reached",
}


def openings(plan: Plan) -> tuple[Opening, ...]:
    """Return what is spoken before TLS, in order: with the proxy, then for STARTTLS.

    Raises:
        UsageError: the credentials for the proxy are not there any more, or are none.
    """
    opened = []
    if plan.proxy is not None:
        credentials = read_credentials(plan.proxy_authorization)
        opened.append(Opening(Stage.PROXY, ProxyDialogue(plan.proxy.scheme, credentials)))
    if plan.starttls is not None:
        script, host = SCRIPTS[plan.starttls], plan.server_name or plan.target.host
        opened.append(Opening(Stage.STARTTLS, lambda local, _: Dialogue.of(script, host, local)))
    return tuple(opened)


class DialogueAttempt(Attempt):
    """One connection in flight that speaks in clear text before TLS."""

    __slots__ = ("_begun_ns", "_dialogue", "_left", "_spoken", "_stage", "_took_ns")

    def __init__(
        self, spec: AttemptSpec, context: WorkerContext, on_end: Callable[[Attempt], None]
    ) -> None:
        super().__init__(spec, context, on_end)
        self._dialogue: Dialogue | None = None
        self._left: list[Opening] = list(context.dialogues)
        """Dialogues that have not begun."""
        self._stage: Stage | None = self._left[0].stage
        """Of the dialogue under way, or of the first; None: all are over."""
        self._begun_ns = 0
        """When the dialogue began."""
        self._took_ns: dict[Stage, int] = {}
        """How long those took that are over."""
        self._spoken = 0
        """Bytes that were received in them."""

    def _send_hello(self, now_ns: int) -> None:
        """Begin the first dialogue instead; the ClientHello follows the last go-ahead."""
        self.phase = AttemptPhase.DIALOGUE
        self._connect_ns = now_ns - self._started_ns
        enable_kernel_stamps(self._sock)
        self._allow(self.context.limits.handshake_s, now_ns)
        self._speak(now_ns)

    def _speak(self, now_ns: int, rest: bytes = b"") -> None:
        """Begin the next dialogue; the other side has said the rest already."""
        (self._stage, make), self._begun_ns = self._left.pop(0), now_ns
        dialogue = self._dialogue = make(self._sock.getsockname()[0], self.spec.address)
        first = dialogue.begin()
        if self._stage is not Stage.PROXY:
            first = self._preamble() + first
        if first:
            self._send(first)
        if rest:
            self._go_on(rest, now_ns)

    def _preamble(self) -> bytes:
        preamble = self.context.preamble
        return b"" if preamble is None else preamble(self._sock, self.spec.address)

    def _send(self, data: bytes) -> None:
        super()._send(data)
        if self.phase is AttemptPhase.DIALOGUE and self._dialogue and self._dialogue.talk.kept:
            self._events[-1] = (SENT, self._dialogue.talk.kept, *self._events[-1][2:])
            self._dialogue.talk.kept = b""

    def _after_send(self) -> None:
        if self.phase is not AttemptPhase.DIALOGUE:
            super()._after_send()

    def _read(self) -> int | None:
        if self.phase is not AttemptPhase.DIALOGUE:
            return super()._read()
        try:
            arrival = timestamps.read(self._sock)
        except BlockingIOError:
            return None
        except OSError:
            arrival = event(RESET)
        what, data, stamp, real_ns, now_ns = arrival
        self._events.append(arrival)
        if data:
            self._received += len(data)
            self._timer.arrived(stamp, real_ns, now_ns)
            self._go_on(data, now_ns)
        else:
            was_reset = what == RESET or self._was_reset
            self._outcome = Outcome(Category.RESET if was_reset else Category.EOF)
            self._end()
        return len(data)

    def _go_on(self, data: bytes, now_ns: int) -> None:
        """Continue the dialogue: answer, begin what comes next, or give up."""
        dialogue, stage = self._dialogue, self._stage
        assert dialogue is not None
        assert stage is not None
        answer = dialogue.receive(data)
        if dialogue.breach is not None:
            self._outcome = Outcome(dialogue.breach.category)
            self._detail = dialogue.breach.detail
            self._end()
        elif dialogue.is_over:
            self._took_ns[stage], rest = now_ns - self._begun_ns, bytes(dialogue.talk.data)
            if self._left:
                self._speak(now_ns, rest)
            else:
                self._stage = None
                self._begin_tls(answer, rest)
        elif answer:
            self._send(answer)

    def _begin_tls(self, answer: bytes, rest: bytes) -> None:
        """Send the ClientHello behind an answer; the target may have spoken already."""
        self._spoken, timer = self._received, self._timer
        self._timer = FlightTimer(lag_ns=timer.lag_ns, user_space=timer.user_space)
        self.phase = AttemptPhase.HELLO_SENT
        self._allow(self.context.limits.hello_s, monotonic_ns())
        hello, self._state = self._machine.begin()
        if self._took_ns.keys() == {Stage.PROXY}:
            hello = self._preamble() + hello
        if rest:
            more, self._state = self._machine.receive(rest)
            hello += more
        self._send(answer + hello)

    def _record(self) -> Record:
        record = (
            super()
            ._record()
            ._replace(
                proxy_ns=self._took_ns.get(Stage.PROXY),
                starttls_ns=self._took_ns.get(Stage.STARTTLS),
            )
        )
        if self._stage is Stage.PROXY:
            record = self._blame_the_proxy(record)
        if record.connect_ns is None:
            return record
        if self._stage is not None:
            return record._replace(stage=self._stage, server_ns=None)
        answered = self._received > self._spoken
        return record._replace(server_ns=record.server_ns if answered else None)

    @staticmethod
    def _blame_the_proxy(record: Record) -> Record:
        """What would be the target's failure is one of the proxy, or of the path to it."""
        outcome = Outcome.parse(record.outcome)
        if outcome.kind is not Kind.WIRE:
            return record
        words, detail = _BY_THE_PROXY.get(outcome.category), record.detail
        if words and detail:
            words = f"{words} ({detail})"
        return record._replace(
            outcome=Category.PROXY_FAILED.value, detail=words or f"the proxy: {detail}"
        )
