from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stress.engine.messages import (
    Assignment,
    FromWorker,
    Ready,
    Rejected,
    frame,
    from_worker,
)
from stress.errors import UsageError
from stress.handshake import factories
from stress.model.plan import Address, Client, Plan
from tests.engine.conftest import plan_for
from tests.stacks import main_stack

PLAN = plan_for(Address("127.0.0.1", 1), b"", count=10)


@pytest.fixture
def process() -> Iterator[tuple[socket.socket, subprocess.Popen[bytes]]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(20)
        command = [sys.executable, "-m", "stress.engine.worker.process", str(theirs.fileno())]
        with subprocess.Popen(
            command, pass_fds=[theirs.fileno()], stderr=subprocess.PIPE
        ) as started:
            theirs.close()
            yield ours, started
            started.kill()


def assign(home: socket.socket, plan: Plan) -> FromWorker:
    home.sendall(frame(Assignment(plan, 0, 0)))
    length = int.from_bytes(home.recv(4, socket.MSG_WAITALL))
    assert length, "the worker left without a word"
    return from_worker.decode(home.recv(length, socket.MSG_WAITALL))


@pytest.mark.slow
def test_a_worker_says_that_it_is_ready_before_it_sends_anything(
    process: tuple[socket.socket, subprocess.Popen[bytes]],
) -> None:
    assert assign(process[0], PLAN) == Ready()


@pytest.mark.slow
@pytest.mark.parametrize("after", ["start", "assignment"])
def test_a_worker_leaves_without_a_word_when_its_parent_is_gone(
    process: tuple[socket.socket, subprocess.Popen[bytes]], after: str
) -> None:
    home, started = process
    if after == "assignment":
        assign(home, PLAN)

    home.close()

    _, complaints = started.communicate(timeout=20)
    assert started.returncode == 69  # EX_UNAVAILABLE
    assert complaints == b""


@pytest.mark.slow
def test_a_worker_refuses_what_its_stack_cannot_speak(
    process: tuple[socket.socket, subprocess.Popen[bytes]],
) -> None:
    unspeakable = Client("unspeakable", groups=(0xFEFE,))
    plan = replace(PLAN, clients=(unspeakable,), stack=main_stack())

    answer = assign(process[0], plan)

    assert isinstance(answer, Rejected)
    assert "unspeakable" in answer.message


def test_a_client_certificate_that_cannot_be_read_is_a_usage_error(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")

    with pytest.raises(UsageError, match=r"missing\.pem"):
        factories(replace(PLAN, client_certificate=missing, client_key=missing))


def test_each_client_of_the_plan_has_its_factory() -> None:
    plan = replace(PLAN, clients=(Client("a"), Client("b", versions=(0x0303,))))

    assert len(factories(plan)) == 2
