"""What happens to a run when the world around the target changes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset
import pytest

from stress.model.run import End
from stress.store import open_run
from tests.faults.conftest import Program, until

pytestmark = pytest.mark.slow

Answer = Callable[[dns.message.Message], bytes | None]


class NameServer:
    """Answers what it is told to, on loopback."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.place = "{}:{}".format(*self._socket.getsockname())
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                data, asker = self._socket.recvfrom(512)
                self.asked += 1
                said = self.answer(dns.message.from_wire(data))
                if said is not None:
                    self._socket.sendto(said, asker)

    def close(self) -> None:
        self._socket.close()


Named = Callable[[Answer], NameServer]


@pytest.fixture
def named() -> Iterator[Named]:
    with ExitStack() as stack:

        def start(answer: Answer) -> NameServer:
            server = NameServer(answer)
            stack.callback(server.close)
            return server

        yield start


def says(*ips: str, ttl: int = 1) -> Answer:
    """The truth, as far as it is known: these addresses."""

    def answer(query: dns.message.Message) -> bytes:
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        question = query.question[0]
        if ips and question.rdtype == dns.rdatatype.A:
            response.answer.append(dns.rrset.from_text(question.name, ttl, "IN", "A", *ips))
        return response.to_wire()

    return answer


def of_another_name(query: dns.message.Message) -> bytes:
    """An answer to a question that nobody asked."""
    other = dns.message.make_query("other.test", "A", id=query.id)
    response = dns.message.make_response(other)
    response.answer.append(dns.rrset.from_text("other.test.", 60, "IN", "A", "127.0.0.1"))
    return response.to_wire()


LIES: dict[str, Answer] = {
    "never answers": lambda _: None,
    "noise": lambda _: b"\x00\x01 this is no DNS",
    "another question": of_another_name,
    "no address": says(),
}


@pytest.mark.long
@pytest.mark.parametrize("lie", LIES)
def test_a_resolver_that_lies_is_told_and_nothing_is_sent(
    program: Program, named: Named, lie: str
) -> None:
    server = named(LIES[lie])
    words = ("run", "edge.test", "--resolver", server.place, "-n", "5000", "--rate", "500")

    process = program.start(*words, "--results", str(program.results))
    _, err = process.communicate(timeout=40)

    assert process.returncode == 2, err
    assert "edge.test" in err
    assert "Traceback" not in err
    assert not program.results.exists()


@pytest.mark.long
def test_an_answer_that_changes_in_the_middle_joins_and_is_told(
    program: Program, named: Named
) -> None:
    server = named(says("127.0.0.1"))
    (address,) = program.farm.addresses
    words = ("run", f"edge.test:{address.port}", "--resolver", server.place, "--sni", "none")
    more = ("--rate", "40", "-d", "5s", "--processes", "1", "--policy", "none")
    process = program.start(*words, *more, "--results", str(program.results), "--name", "run")
    program.until_rows(20, process)

    server.answer = says("127.0.0.1", "127.0.0.2")
    out, err = process.communicate(timeout=40)

    with open_run(program.file) as run:
        known, facts = run.addresses(), run.facts()
        met = {record.address for record in run.records()}
    assert process.returncode in {0, 1}, err
    assert [each.ip for each in known] == ["127.0.0.1", "127.0.0.2"]
    assert met == {0, 1}
    assert any("was added" in reason for reason in facts.reasons)
    assert "was added" in out
    assert server.asked > 2


@pytest.mark.long
def test_a_resolver_that_falls_silent_in_the_middle_changes_nothing(
    program: Program, named: Named
) -> None:
    server = named(says("127.0.0.1"))
    (address,) = program.farm.addresses
    words = ("run", f"edge.test:{address.port}", "--resolver", server.place, "--sni", "none")
    more = ("--rate", "40", "-d", "4s", "--processes", "1", "--policy", "none")
    process = program.start(*words, *more, "--results", str(program.results), "--name", "run")
    program.until_rows(20, process)

    server.answer = lambda _: None
    _, err = process.communicate(timeout=40)

    facts = program.facts()
    assert process.returncode == 0, err
    assert facts.end is End.COMPLETED
    assert facts.recorded == facts.started


@pytest.mark.long
def test_a_target_that_vanishes_and_comes_back_is_met_again(program: Program) -> None:
    """Failures while it is away, and not one attempt less."""
    accepting = _Door()
    words = ("run", f"127.0.0.1:{accepting.port}", "--rate", "40", "-d", "6s", "--processes", "1")
    process = program.start(
        *words, "--timeout", "1s", "--results", str(program.results), "--name", "run"
    )

    until(lambda: accepting.opened >= 30)
    accepting.shut()
    until(lambda: int(program.ask(REFUSED, 0)) >= 30)
    accepting.open()
    process.communicate(timeout=40)

    with open_run(program.file) as run:
        rows, facts = sorted(run.records(), key=lambda row: row.due_ns), run.facts()
    outcomes = [row.outcome for row in rows]
    first, last = outcomes.index("refused"), len(outcomes) - outcomes[::-1].index("refused")
    accepting.shut()
    assert process.returncode == 1
    assert facts.started == facts.recorded == len(rows)
    assert first >= 20
    assert set(outcomes[:first]) | set(outcomes[last:]) <= {"eof", "reset", "not-sent"}
    assert outcomes[last:].count("eof") + outcomes[last:].count("reset") > 10


REFUSED = "SELECT count(*) FROM handshake WHERE outcome = 'refused'"


class _Door:
    """A port behind which every visitor is sent away, and which may be shut."""

    def __init__(self) -> None:
        self.opened = 0
        self.port = 0
        self.open()

    def open(self) -> None:
        self._server = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._server,), daemon=True).start()

    def shut(self) -> None:
        """Wakes up who waits for visitors, too."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self, server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                self.opened += 1
                connection.close()
