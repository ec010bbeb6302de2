"""Opens gateways to the workers of a Dask cluster, and makes a part on each: by `distributed`.

Each worker gets one task, pinned to it, which starts a process of ours and passes on what is said.
The messages go by two queues of Dask's, which live on the scheduler: nothing but the scheduler has
to be reachable from here. It needs no tls-stress, so the tasks call functions of the standard
library, which find ours on the worker.

Dask starts a task again when its worker dies. So a task makes a part only if it takes the token out
of its queue, where it lies once.
"""

from __future__ import annotations

import asyncio
import logging
import operator
import os
import pkgutil
import socket
import struct
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from queue import SimpleQueue
from secrets import token_hex
from threading import Lock, Thread
from time import monotonic
from typing import Any

import stress
from stress.errors import UsageError
from stress.host.python import python_command, python_environment
from stress.planning.vantages import VantageAddress
from stress.text.escape import printable
from stress.text.numbers import counted
from stress.vantage.link import VantageLink

CONNECT_S = 15.0
"""For the scheduler to answer, unless Dask's configuration allows less."""
ARRIVE_S = 120.0
"""Until every worker has started its task, which waits for whatever else the worker does."""
MOST_WORKERS = 200
"""Of one cluster: each keeps two connections to the scheduler busy, and Dask has 512 at most."""
_END = b""
"""In a queue: nothing more comes."""
_MOST_UNREAD = 16
"""Messages from a part that wait on the scheduler."""
_DELIVERY_S, _LAST_S, _BYE_S = 30.0, 20.0, 1.0
"""For the scheduler to take a message; for a part to end when its link has; for a good-bye."""
_FAR = "stress.vantage.cluster:make_part"
_INSTALL = f"Install it for the workers' Python: pip install tls-stress=={stress.__version__}"
_EXTRA = "Install it: pip install 'tls-stress[dask]'"
_CLOSING = Lock()
_LENGTH = struct.Struct("!I")


class SocketLink:
    """A link over a socket; a `stress.vantage.link.VantageLink`."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._reading = end.makefile("rb")
        self._sending = Lock()

    def send(self, message: bytes, /) -> None:
        with self._sending:
            self._end.sendall(_LENGTH.pack(len(message)) + message)

    def receive(self) -> bytes:
        return self._read(_LENGTH.unpack(self._read(_LENGTH.size))[0])

    def _read(self, size: int) -> bytes:
        data = self._reading.read(size)
        if len(data) < size:
            raise EOFError
        return data

    def close(self) -> None:
        """End it for both sides."""
        with suppress(OSError):
            self._end.shutdown(socket.SHUT_RDWR)
        self._reading.close()
        self._end.close()


@dataclass(slots=True, eq=False)
class DaskGateway:
    """Our end of the way to one worker; a `stress.vantage.link.Gateway` and its link in one.

    Sending is done by a thread of its own: a scheduler that does not answer delays nobody else.
    """

    name: str
    worker: str
    """Address of the worker, as Dask writes it."""
    client: Any
    others: set[DaskGateway]
    """That share the client; the last one closes it."""
    token: str = field(default_factory=lambda: token_hex(8))
    task: Any = None
    _to: Any = None
    _from: Any = None
    _unsent: SimpleQueue[bytes] = field(default_factory=SimpleQueue)
    _gone: bool = False

    @property
    def link(self) -> VantageLink:
        """What is said to the far side, and by it."""
        return self

    def begin(self) -> None:
        """Start the task of the worker, and notice when it ends."""
        queue = import_module("distributed").Queue
        self._to, self._from = _queues(queue, self.token, self.client)
        self._to.put(self.token)
        key, pinned = f"tls-stress-{self.token}", {"workers": [self.worker], "pure": False}
        found = self.client.submit(pkgutil.resolve_name, _FAR, key=f"{key}-function", **pinned)
        arguments = (found, self.token, stress.__version__)
        self.task = self.client.submit(operator.call, *arguments, key=key, **pinned)
        self.task.add_done_callback(lambda _: self._finish())
        self.others.add(self)

        async def on_event(event: tuple[float, dict[str, Any]]) -> None:
            if event[1].get("action") == "remove-worker":
                await self._from.put(_END)

        def deliver() -> None:
            message = None
            with suppress(Exception):  # whatever Dask raises, the link has ended
                while message != _END:
                    message = self._unsent.get()
                    self._to.put(message, callback_timeout=_DELIVERY_S)
            self._gone = True

        self.client.subscribe_topic(self.worker, on_event)
        Thread(target=deliver, daemon=True).start()

    def _finish(self, patience_s: float = _DELIVERY_S) -> None:
        """Let `receive` find the end behind all that came before it."""
        with suppress(Exception):  # as above
            self._from.put(_END, callback_timeout=patience_s)

    def send(self, message: bytes, /) -> None:
        """Have a message sent, in order."""
        if self._gone:
            raise OSError("the scheduler takes no more messages")
        self._unsent.put(message)

    def receive(self, timeout_s: float | None = None) -> bytes:
        """Wait for a message; `TimeoutError` where none comes in time."""
        try:
            message: bytes = self._from.get(timeout=timeout_s)
        except TimeoutError:
            raise
        except Exception as error:
            raise EOFError from error
        if message == _END:
            raise EOFError
        return message

    def greet(self, where: str, patience_s: float) -> None:
        """Wait until the part is there; its worker is told of as `where`.

        Raises:
            UsageError: it is not, or is of another release.
        """
        try:
            release = self.receive(max(_BYE_S, patience_s)).decode("utf-8", "replace")
        except TimeoutError:
            raise UsageError(
                f"{where} did not start its task within {ARRIVE_S:.0f} s",
                "It may be busy with other tasks: wait for them, or take other workers.",
            ) from None
        except EOFError:
            error = self.task.exception() if self.task.status == "error" else None
            missing = error.name if isinstance(error, ModuleNotFoundError) else None
            if missing == "stress":
                raise UsageError(f"{where} has no tls-stress", _INSTALL) from None
            if missing and missing.startswith("stress."):
                raise UsageError(f"{where} has another release", _INSTALL) from None
            said = self.last_words()
            raise UsageError(
                f"{where} ended before the start, so nothing was sent",
                f"It said:\n{said}" if said else "Try again, or take fewer workers.",
            ) from None
        if release != stress.__version__:
            raise UsageError(
                f"{where} has tls-stress {printable(release)}, and this is {stress.__version__}",
                _INSTALL,
            )

    def last_words(self) -> str:
        """Return with what error the task has ended, if it has."""
        return printable(repr(self.task.exception())) if self.task.status == "error" else ""

    def close(self, patience_s: float) -> None:
        """End the link; the far side stops its process if that does not end by itself."""
        with _CLOSING:
            if self not in self.others:
                return
            self.others.discard(self)
            last = not self.others
        self._unsent.put(_END)
        with suppress(Exception):  # as above
            if self.client.status == "running":
                import_module("distributed").wait(self.task, timeout=patience_s or _BYE_S)
        with suppress(Exception):
            if self.client.status == "running":
                self._finish(_BYE_S)
                self._to.close()
                self._from.close()
        if last:
            with suppress(Exception):
                self.client.close(timeout=_BYE_S)


def open_dask(address: VantageAddress, notify: Callable[[str], None]) -> Sequence[DaskGateway]:
    """Open a gateway to each worker of a cluster; a `stress.vantage.link.Fleet`.

    Raises:
        UsageError: there is no scheduler, or a worker that cannot do a part.
    """
    if find_spec("distributed") is None:
        raise UsageError("--vantage needs the library distributed, which is missing", _EXTRA)
    where = f"--vantage {address.name}"
    client = _connected(address)
    gateways: list[DaskGateway] = []
    shared: set[DaskGateway] = set()
    try:
        workers = client.scheduler_info(n_workers=-1)["workers"]
        for number, worker in enumerate(chosen(address, sorted(workers)), 1):
            gateways.append(DaskGateway(f"{address.name}-{number}", worker, client, shared))
            gateways[-1].begin()
        end_s = monotonic() + ARRIVE_S
        for gateway in gateways:
            called = printable(str(workers[gateway.worker]["name"]), 40)
            gateway.greet(f"{where}: worker {called}", end_s - monotonic())
            notify(f"{gateway.name} is the worker {called} of that cluster")
    except BaseException as error:
        for gateway in gateways:
            gateway.close(0.0)
        if not gateways:
            client.close(timeout=_BYE_S)
        if isinstance(error, UsageError) or not isinstance(error, Exception):
            raise
        said = printable(str(error), 300)
        raise UsageError(
            f"{where}: the scheduler answers no more", f"Dask says: {said}\nLook at its log."
        ) from None
    return gateways


def chosen(address: VantageAddress, workers: Sequence[str]) -> Sequence[str]:
    """Return the workers that take part, of those that are there.

    Raises:
        UsageError: there are too few, or too many.
    """
    taken = workers[: address.workers]
    has = f"--vantage {address.name}: that cluster has {counted(len(workers), 'worker')}"
    if len(taken) < (address.workers or 1):
        raise UsageError(
            f"{has}, and {address.workers or 'at least 1'} must be there",
            "Start more, such as by: dask worker tcp://SCHEDULER:8786",
        )
    if len(taken) > MOST_WORKERS:
        raise UsageError(
            f"{has}, and one run takes at most {MOST_WORKERS} of them",
            f"Take some of them: dask://HOST:PORT?workers={MOST_WORKERS}",
        )
    return taken


def _configured(where: str) -> tuple[Any, str, float]:
    """Return what Dask's own configuration says: certificates, protocol, and patience in seconds.

    Raises:
        UsageError: it cannot be used.
    """
    ours = logging.getLogger("distributed").level == logging.NOTSET
    try:
        security = import_module("distributed").Security()
        arguments = security.get_connection_args("client")
        config = import_module("dask.config")
        scheme = str(config.get("distributed.comm.default-scheme"))
        said = config.get("distributed.comm.timeouts.connect")
        patience_s = float(import_module("dask.utils").parse_timedelta(said))
    except Exception as error:  # noqa: BLE001 - of files that the user wrote, by several libraries
        raise UsageError(
            f"{where}: Dask's configuration cannot be used",
            f"It says: {printable(str(error), 400)}\nSee distributed.comm in ~/.config/dask, and"
            " DASK_DISTRIBUTED__COMM__….",
        ) from None
    if ours:  # what it logs is about what we report
        for name in ("distributed", "distributed.client", "tornado.application"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    if arguments["require_encryption"] or arguments["ssl_context"]:
        scheme = "tls"
    if scheme == "tls" and not arguments["ssl_context"]:
        raise UsageError(
            f"{where}: Dask's configuration asks for TLS, and names no certificates",
            "Set distributed.comm.tls.ca-file, .client.cert and .client.key there.",
        )
    return security, scheme, min(CONNECT_S, patience_s)


def _connected(address: VantageAddress) -> Any:
    """Return a client of the scheduler.

    Raises:
        UsageError: there is none, or Dask's own configuration is at fault.
    """
    host, port = address.scheduler
    where = f"--vantage {address.name}"
    security, scheme, patience_s = _configured(where)
    place = f"[{host}]" if ":" in host else host
    shown = f"{scheme}://{place}:{port}"
    try:
        with socket.create_connection((host, port), patience_s):
            pass  # Dask would try again, and tell less
    except OSError as error:
        raise UsageError(
            f"{where}: nothing answers at {shown}: {error.strerror or error}",
            "It is the address of the scheduler, which `dask scheduler` prints when it starts.",
        ) from None

    distributed = import_module("distributed")
    arguments = {"connection_args": security.get_connection_args("client"), "timeout": patience_s}

    async def identify() -> str:
        async with distributed.rpc(shown, **arguments) as server:
            return str((await server.identity())["type"])

    try:
        # First, because a client waits for ever for what accepts connections and is silent.
        kind = asyncio.run(asyncio.wait_for(identify(), patience_s))
        if kind != "Scheduler":
            raise TypeError(f"I am a {kind}")  # noqa: TRY301 - told as the others
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of versions that differ: ours are compared by us
            return distributed.Client(
                shown,
                security=security,
                timeout=patience_s,
                set_as_default=False,
                name="tls-stress",
            )
    except Exception as error:  # noqa: BLE001 - whatever a stranger's answer makes it raise
        said = printable(str(error.__cause__ or error), 300)
        tls = scheme == "tls"
        raise UsageError(
            f"{where}: no Dask scheduler answers at {shown}",
            (f"It said: {said}" if said else "It said nothing.")
            + "\nDask's configuration (distributed.comm.tls) names"
            f" {'' if tls else 'no '}certificates, so it was tried {'with' if tls else 'without'}"
            " TLS.",
        ) from None


def _queues(kind: Any, token: str, client: Any) -> tuple[Any, Any]:
    """The queues to the part and from it."""
    return (
        kind(f"tls-stress-{token}-there", client),
        kind(f"tls-stress-{token}-home", client, maxsize=_MOST_UNREAD),
    )


# -- on the worker ---------------------------------------------------------------------------------


def make_part(token: str, release: str) -> None:
    """Make a part, in a process of its own: the task. Started again, it starts nothing.

    Args:
        token: of this task.
        release: of the initiator; another one only says which it is.
    """
    distributed = import_module("distributed")
    there, home = _queues(distributed.Queue, token, distributed.get_client())
    first = there.get(batch=True) == [token]
    told = "makes a part" if first else "was started again: it makes no part"
    logging.getLogger("distributed.worker").info("tls-stress: task %s %s", token, told)
    if first:
        home.put(stress.__version__.encode())
    if not first or release != stress.__version__:
        there.close()
        home.close()
        return
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(  # noqa: S603 - our own words
            python_command("stress.vantage.cluster", str(theirs.fileno())),
            stdin=subprocess.DEVNULL,
            env=python_environment(),
            pass_fds=[theirs.fileno()],
            process_group=0,  # Ctrl-C at the worker's terminal is for the worker
        )
    part = SocketLink(ours)

    def follow() -> None:
        with suppress(Exception):  # whatever Dask raises, the link has ended
            while (message := there.get()) != _END:
                part.send(message)
        with suppress(OSError):
            ours.shutdown(socket.SHUT_WR)

    Thread(target=follow, daemon=True).start()
    with suppress(Exception):  # as above
        while True:
            home.put(part.receive(), callback_timeout=_DELIVERY_S)
    with suppress(Exception):
        there.put(_END, callback_timeout=_DELIVERY_S)
    part.close()
    try:
        process.wait(_LAST_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with suppress(Exception):
        there.close()
        home.close()


if __name__ == "__main__":
    from stress.vantage.far import serve

    os._exit(0 if serve(SocketLink(socket.socket(fileno=int(sys.argv[1])))) else 1)
