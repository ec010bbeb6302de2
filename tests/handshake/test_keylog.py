from __future__ import annotations

import os
import stat
from contextlib import closing
from pathlib import Path

import pytest

from stress.handshake import KeyLog, State, stack_for
from stress.handshake.hello import read_hello
from stress.model.plan import Client, Stack
from tests.handshake.ends import HOST, Pki, Server, shake

TLS12, TLS13 = 0x0303, 0x0304


@pytest.mark.parametrize(
    ("version", "labels"),
    [
        (TLS12, {"CLIENT_RANDOM"}),
        (TLS13, {"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET"}),
    ],
)
def test_the_secrets_of_a_connection_are_found_by_its_random(
    stack: Stack, pki: Pki, version: int, labels: set[str]
) -> None:
    with closing(KeyLog()) as log:
        client = Client("test", versions=(version,))
        factory = stack_for(client, stack, server_name=HOST, key_log=log)
        machines = [factory.machine() for _ in range(3)]
        randoms = []
        for machine in machines:
            server = Server(pki.ecdsa)
            first = machine.begin()
            randoms.append(read_hello(first.send).random)
            step = machine.receive(server.answer(first.send))
            while step.state is State.WAITING:
                step = machine.receive(server.answer(step.send))

        lines = [log.lines(random) for random in randoms]

        assert [{line.split()[0] for line in each} for each in lines] == [labels] * 3
        assert all(line.split()[1] == randoms[0].hex() for line in lines[0])
        assert log.lines(bytes(32)) == ()


def test_other_secrets_are_never_kept() -> None:
    with closing(KeyLog()) as log:
        log.write(b"CLIENT_TRAFFIC_SECRET_0 aa 01")
        log.write(b"EXPORTER_SECRET aa 02")
        log.write(b"nonsense")
        log.write(b"CLIENT_RANDOM aa 03")

        assert log.lines(b"\xaa") == ("CLIENT_RANDOM aa 03",)


def test_only_the_newest_connections_are_kept() -> None:
    with closing(KeyLog(keep=2)) as log:
        for random in ("aa", "bb", "cc"):
            log.write(f"CLIENT_RANDOM {random} 01".encode())

        assert log.lines(b"\xaa") == ()
        assert log.lines(b"\xbb")
        assert log.lines(b"\xcc")


def test_a_line_cut_in_two_is_joined() -> None:
    with closing(KeyLog()) as log:
        file = os.open(log.path, os.O_WRONLY | os.O_APPEND)
        os.write(file, b"CLIENT_RANDOM aa 01\nCLIENT_RAN")
        log.drain()
        os.write(file, b"DOM bb 02\n")
        os.close(file)

        assert log.lines(b"\xbb") == ("CLIENT_RANDOM bb 02",)
        assert log.lines(b"\xaa") == ("CLIENT_RANDOM aa 01",)


@pytest.mark.boringssl
def test_the_file_is_emptied_when_it_is_read(pki: Pki) -> None:
    with closing(KeyLog()) as log:
        factory = stack_for(Client("test"), Stack.BORINGSSL, server_name=HOST, key_log=log)
        shake(factory.machine(), Server(pki.ecdsa))
        written = Path(log.path).stat().st_size
        log.drain()

        assert written > 0
        assert Path(log.path).stat().st_size == 0


def test_without_anonymous_files_a_private_one_is_used_and_removed() -> None:
    with closing(KeyLog(anonymous=False)) as log:
        path = Path(log.path)
        log.write(b"CLIENT_RANDOM aa 01")

        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert log.lines(b"\xaa")
    assert not path.exists()
