"""What is fuzzed: functions of bytes that must never raise, one for each reader of a stranger's."""

from __future__ import annotations

import atexit
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from functools import cache, partial
from pathlib import Path

import numpy as np

from stress.clients.importing import hellos_in
from stress.codes.explain import explain
from stress.errors import StressError
from stress.handshake import HangUp, MachineFactory, stack_for
from stress.handshake.wire import Wire
from stress.model.plan import Address, Client, Plan, Stack, Target, Trust
from stress.model.record import Record
from stress.model.run import End, RunEnd
from stress.planning.profile import read_profile
from stress.records.joining import by_port, by_time, formats, read_logs, recognised
from stress.records.reading import Choice, read
from stress.store import RunWriter, open_run
from stress.trust import Anchors, Judge, describe
from tests.servers.crooked import HOST, House
from tests.stacks import HAS_BORINGSSL
from tests.strangers.captures import HELLO, packet, segment
from tests.strangers.doors import ROOT

NOW = 1_800_000_000
STACKS = [stack for stack in Stack if stack is Stack.OPENSSL or HAS_BORINGSSL]


@cache
def factory(stack: Stack) -> MachineFactory:
    return stack_for(Client("fuzz"), stack, server_name=HOST)


@cache
def house() -> House:
    with tempfile.TemporaryDirectory(prefix="tls-stress-fuzz-") as folder:
        return House(Path(folder))


@cache
def judge() -> Judge:
    return Judge(Anchors((house().root,), "fuzz", private=True))


def records(data: bytes) -> None:
    """Bytes of a server, in pieces, through the reader and both stacks: all end in a step."""
    size = 1 + (data[0] if data else 0)
    said = data[1:]
    pieces = [said[at : at + size] for at in range(0, len(said), size)]
    wire = Wire()
    for piece in pieces:
        wire.feed(piece)
    for stack in STACKS:
        machine = factory(stack).machine()
        machine.begin()
        for piece in pieces:
            machine.receive(piece)
        machine.hang_up(HangUp.EOF)
        machine.facts()


def certificates(data: bytes) -> None:
    """A leaf of these bytes, alone and above an intermediate: described and judged."""
    describe(data)
    for chain in ((data,), (data, house().middle), (house().good[0], data)):
        judge().meet(chain)
        judge().judge(chain, host=HOST, at=NOW, policy="any")


@cache
def run_file() -> tuple[Path, bytes]:
    """A place for a file, and a good run file with one row."""
    folder = tempfile.TemporaryDirectory(prefix="tls-stress-fuzz-")
    atexit.register(folder.cleanup)
    path = Path(folder.name, "run.db")
    address = Address("127.0.0.1", 443)
    plan = Plan(Target(HOST), (address,), (Client("generic"),), trust=Trust(host=HOST))
    writer = RunWriter(path, plan, started_ns=NOW * 10**9, versions={}, host="here")
    writer.add_address(0, address)
    nothing = dict.fromkeys(Record._fields) | dict.fromkeys(("id", "address", "client"), 0)
    times = dict.fromkeys(("due_ns", "started_ns"), NOW * 10**9)
    zeros = dict.fromkeys(("total_ns", "segment", "flags", "bytes_received"), 0)
    writer.add_records([Record(**(nothing | times | zeros | {"outcome": "refused", "stage": 1}))])  # type: ignore[arg-type]  # fields by name
    writer.finish(RunEnd(End.COMPLETED, (NOW + 1) * 10**9, 1))
    return path, path.read_bytes()


def run_files(data: bytes) -> None:
    """A run file whose header, or one of its facts, is made of these bytes."""
    path, good = run_file()
    kind, said = (data[0] % 4 if data else 0), data[1:]
    path.write_bytes(said[:100] + good[len(said[:100]) :] if kind == 0 else good)
    if kind:
        key = ("", "plan", "ending", "started_ns")[kind]
        with closing(sqlite3.connect(path)) as database, database:
            value = said.decode("utf-8", "replace")
            database.execute("UPDATE meta SET value = ? WHERE key = ?", (value, key))
    with suppress(StressError), open_run(path) as run:
        run.facts()
        run.addresses()
        run.verdicts()
        list(run.records())


def profiles(data: bytes) -> None:
    """A load profile of these bytes."""
    path = run_file()[0].with_name("profile.toml")
    path.write_bytes(data)
    with suppress(StressError):
        read_profile(path)


def captures(data: bytes) -> None:
    """A packet capture of these bytes."""
    with suppress(StressError):
        hellos_in(data)


def logs(data: bytes) -> None:
    """A log of these bytes: everything shown is printable."""
    answer = explain(data.decode("utf-8", "replace"))
    shown = [each.text for each in answer.found] + [each.text for each in answer.unknown]
    assert all(text.isprintable() for text in shown)


def foreign_records(data: bytes) -> None:
    """Records of these bytes, and a `--failed` of the first of them."""
    path = run_file()[0].with_name("records.data")
    said, _, rows = data.partition(b"\0")
    path.write_bytes(rows)
    with suppress(StressError):
        read([path], Choice(failed=said.decode("utf-8", "replace"), latency="b=ms"))


def balancer_logs(data: bytes) -> None:
    """A balancer's log of these bytes, joined with four attempts by port and by time."""
    path = run_file()[0].with_name("balancer.log")
    path.write_bytes(data)
    begin_ns = 1_796_812_267 * 10**9  # as in the examples
    at_ns = begin_ns + np.arange(4) * 10**8
    ports = np.full(4, 33313, np.int32)
    with suppress(StressError):
        form = recognised([path])
        lines = read_logs([path], form, None, range(begin_ns - 10**11, begin_ns + 10**11))
        for join in (partial(by_port, at_ns, ports, lines), partial(by_time, at_ns, lines)):
            with suppress(StressError):
                found = join().backend
                assert ((found >= -1) & (found < len(lines.backends))).all()


TARGETS: dict[str, Callable[[bytes], None]] = {
    each.__name__: each
    for each in (
        records,
        certificates,
        run_files,
        profiles,
        captures,
        logs,
        foreign_records,
        balancer_logs,
    )
}


_CSV = "time,a,b,error\n" + "".join(f"{n},x{n % 3},{n},{n % 2}\n" for n in range(9))
_JSON = '{"a":1,"error":"x","time":"2026-11-30T05:23:27Z"}\n{"a":2,"b":{"c":[]}}\n'
TEXTS = {
    "balancer_logs": tuple(f"{each.example}\n" * 3 for each in formats().values()),
    "foreign_records": (
        f"error = 1\0{_CSV}",
        f"error != empty\0{_JSON}",
        f"a in 1, 2\0{_JSON}",
    ),
    "logs": (
        "3:-9807\nverify error:num=20:unable to\nalert 112\nERR_CERT_REVOKED",
        "https://x.test/ 3:-9807",
        "SSL_ERROR_BAD_CERT_DOMAIM",
    ),
}


def seeds(name: str) -> list[bytes]:
    """Good input to begin with."""
    if name == "certificates":
        return [house().root, house().middle, house().good[0]]
    if name == "run_files":
        plan = b'\x01{"target":{"host":"x.test","port":443},"addresses":[],"clients":[]}'
        ending = b'\x02{"end":"completed","ended_ns":1,"started":1,"reasons":[]}'
        return [b"\x00" + run_file()[1][:100], plan, ending, b"\x031800000000000000000"]
    if name == "profiles":
        return [path.read_bytes() for path in sorted((ROOT / "profiles").glob("*.toml"))]
    if name == "captures":
        hello = HELLO + b"\x00\x45\x01\x00\x00\x41\x03\x03" + bytes(65)
        pcap = bytes.fromhex("d4c3b2a1020004000000000000000000000004000100 0000")
        return [hello, pcap + packet(segment(40_000, 1, hello)), pcap + packet(b"")]
    if name in TEXTS:
        return [text.encode() for text in TEXTS[name]]
    from tests.handshake.scripted import Scripted13  # noqa: PLC0415 - only for the seeds
    from tests.servers.hostile import curve_flight  # noqa: PLC0415 - the same

    sent = factory(STACKS[-1]).machine().begin().send
    older = b"".join(curve_flight(sent, house()))
    newer = b"".join(Scripted13(house().good, house().key).flight(sent))
    return [b"\xff" + older, b"\x10" + older, b"\xff" + newer, b"\xff\x15\x03\x03\0\2\2\x28"]
