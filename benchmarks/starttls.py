"""What asking for TLS first costs us: processor time of a handshake behind each dialogue.

    python -m benchmarks.starttls [ROUNDS] [COUNT]

One worker's loop in this process, against a server of ours in another one; each round opens COUNT
handshakes of every kind in turn, so that whatever else the machine does meets all of them. What is
printed is the median over the rounds of the ratio to the plain handshakes of the same round.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import median
from time import monotonic_ns, process_time_ns

import trio

from stress.engine.worker.attempt import Attempt, AttemptSpec, WorkerContext
from stress.engine.worker.dial import Ports
from stress.engine.worker.dialogue_attempt import DialogueAttempt, openings
from stress.handshake import stack_for
from stress.model.outcome import OK
from stress.model.plan import Address, Client, Limits, Plan, Stack, StartTls, Target
from tests.dialogues.conversations import GOOD, LAST
from tests.servers.certificates import HOST, Certificates

ROUNDS, COUNT, IN_FLIGHT = 7, 300, 16


def main() -> None:
    """Measure all protocols, and print a table."""
    given = [int(word) for word in sys.argv[1:3]]
    rounds, count = given if len(given) == 2 else (ROUNDS, COUNT)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        certificates = Certificates.make(folder)
        kinds: list[StartTls | None] = [None, *StartTls]
        ports = {kind: stack.enter_context(_server(kind, certificates)) for kind in kinds}
        us: dict[StartTls | None, list[float]] = {kind: [] for kind in kinds}
        for _ in range(rounds + 1):
            for kind in kinds:
                us[kind].append(trio.run(_round, kind, ports[kind], count))
    plain = us[None][1:]  # the first round warms up
    print(f"plain: {median(plain):.0f} µs of processor time per handshake")
    for kind in StartTls:
        ratios = [one / other for one, other in zip(us[kind][1:], plain, strict=True)]
        low, high = min(ratios), max(ratios)
        print(f"{kind.value:<10} {median(ratios):.2f} (rounds {low:.2f} to {high:.2f})")


async def _round(kind: StartTls | None, port: int, count: int) -> float:
    """Open so many handshakes; returns the microseconds of processor time that one took."""
    factory = stack_for(Client("generic"), Stack.BORINGSSL, server_name=HOST)
    context = WorkerContext(
        (factory,),
        Limits(),
        Ports(1),
        reset=True,
        unix_offset_ns=0,
        dialogues=openings(Plan(Target(HOST), (), (), starttls=kind)),
    )
    make = Attempt if kind is None else DialogueAttempt
    over, left, open_now = trio.Event(), count, 0

    def fill(ended: Attempt | None = None) -> None:
        nonlocal left, open_now
        if ended is not None:
            assert ended.record.outcome == OK.name, ended.record
            open_now -= 1
        if left:
            left, open_now = left - 1, open_now + 1
            spec = AttemptSpec(left, monotonic_ns(), 0, Address("127.0.0.1", port), 0, None, None)
            make(spec, context, fill).begin()
        elif not open_now:
            over.set()

    begin = process_time_ns()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(context.reactor.run)
        for _ in range(IN_FLIGHT):
            fill()
        await over.wait()
        nursery.cancel_scope.cancel()
    return (process_time_ns() - begin) / count / 1e3


@contextmanager
def _server(kind: StartTls | None, certificates: Certificates) -> Iterator[int]:
    """A server of this kind in a process of its own; yields its port."""
    words = [sys.executable, "-c", "from benchmarks.starttls import serve; serve()"]
    files = [str(certificates.full), str(certificates.key)]
    with subprocess.Popen(
        [*words, kind.value if kind else "", *files], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def serve() -> None:
    """Be a server: speak, shake hands, wait until the client leaves."""
    word, chain, key = sys.argv[1:]
    kind = StartTls(word) if word else None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    with socket.create_server(("127.0.0.1", 0), backlog=256) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_treat, args=(connection, kind, context), daemon=True).start()


def _treat(connection: socket.socket, kind: StartTls | None, context: ssl.SSLContext) -> None:
    with connection, suppress(OSError):
        for sent, says in GOOD[kind] if kind else []:
            if sent:
                connection.recv(4096)
            connection.sendall(says)
        if kind in LAST:
            connection.recv(len(LAST[kind]), socket.MSG_WAITALL)
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(1)


if __name__ == "__main__":
    main()
