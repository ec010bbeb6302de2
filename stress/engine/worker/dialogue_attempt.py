"""The life of a connection on which TLS has to be asked for first (STARTTLS).

It is an `Attempt` with one phase more, between CONNECTING and HELLO_SENT:

    DIALOGUE     Read what the server says, feed it to the dialogue, send its answer; and so on,
                 until the server gives its go-ahead, or it is known that it never will.

A kind of its own, so that a handshake that begins with TLS pays nothing for it. What was spoken has
its own time, `starttls_ns`; the target's own time counts from the ClientHello on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import monotonic_ns

from stress.dialogues.dialogue import Dialogue
from stress.dialogues.scripts import SCRIPTS
from stress.engine.worker import timestamps
from stress.engine.worker.attempt import Attempt, AttemptPhase, AttemptSpec, WorkerContext
from stress.engine.worker.timestamps import RESET, FlightTimer, event
from stress.host.clocks import enable_kernel_stamps
from stress.model.outcome import Category, Outcome, Stage
from stress.model.plan import Plan
from stress.model.record import Record


def dialogues(plan: Plan) -> Callable[[str], Dialogue] | None:
    """Return what makes the dialogue before TLS from our address; None: the plan has none."""
    if plan.starttls is None:
        return None
    return partial(Dialogue.of, SCRIPTS[plan.starttls], plan.server_name or plan.target.host)


class DialogueAttempt(Attempt):
    """One connection in flight that speaks in clear text before TLS."""

    __slots__ = ("_dialogue", "_opened_ns", "_spoken", "_starttls_ns")

    def __init__(
        self, spec: AttemptSpec, context: WorkerContext, on_end: Callable[[Attempt], None]
    ) -> None:
        super().__init__(spec, context, on_end)
        self._dialogue: Dialogue | None = None
        self._opened_ns = 0
        self._starttls_ns: int | None = None
        """What the dialogue took, up to the go-ahead."""
        self._spoken = 0
        """Bytes that the server sent in it."""

    def _send_hello(self, now_ns: int) -> None:
        """Begin the dialogue instead; the ClientHello follows its go-ahead."""
        context, sock = self.context, self._sock
        assert context.dialogue is not None
        self.phase = AttemptPhase.DIALOGUE
        self._connect_ns, self._opened_ns = now_ns - self._started_ns, now_ns
        enable_kernel_stamps(sock)
        self._allow(context.limits.handshake_s, now_ns)
        self._dialogue = context.dialogue(sock.getsockname()[0])
        first = self._dialogue.begin()
        if context.preamble is not None:
            first = context.preamble(sock, self.spec.address) + first
        if first:
            self._send(first)

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
        """Continue the dialogue: answer, begin TLS, or give up."""
        dialogue = self._dialogue
        assert dialogue is not None
        answer = dialogue.receive(data)
        if dialogue.breach is not None:
            self._outcome = Outcome(dialogue.breach.category)
            self._detail = dialogue.breach.detail
            self._end()
        elif dialogue.is_over:
            self._starttls_ns, self._spoken = now_ns - self._opened_ns, self._received
            timer = self._timer
            self._timer = FlightTimer(lag_ns=timer.lag_ns, user_space=timer.user_space)
            self.phase = AttemptPhase.HELLO_SENT
            self._allow(self.context.limits.hello_s, monotonic_ns())
            hello, self._state = self._machine.begin()
            self._send(answer + hello)
        elif answer:
            self._send(answer)

    def _record(self) -> Record:
        record = super()._record()
        if self._dialogue is None:
            return record
        if self._starttls_ns is None:
            return record._replace(stage=Stage.STARTTLS, server_ns=None)
        answered = self._received > self._spoken
        return record._replace(
            starttls_ns=self._starttls_ns, server_ns=record.server_ns if answered else None
        )
