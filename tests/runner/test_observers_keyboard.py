import os
import pty
import select
import termios
from collections.abc import Callable, Iterator

import pytest

from stress.runner.observers import Keyboard


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of a terminal that is nobody's controlling one."""
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


def in_front(work: Callable[[int, int], int]) -> int:
    """What `work` gave, done in a process of its own with a terminal in front of it.

    It is given the terminal and a pipe to say that it listens; `q` is typed when it does.
    """
    said, say = os.pipe()
    child, ours = pty.fork()
    if child == 0:
        code = 99
        try:
            code = work(0, say)
        finally:
            os._exit(code)
    os.close(say)
    os.read(said, 1)
    os.write(ours, b"q")
    _, status = os.waitpid(child, 0)
    os.close(said)
    os.close(ours)
    return os.waitstatus_to_exitcode(status)


def _press(descriptor: int, say: int) -> int:
    """0 when a key is heard without Enter, and the terminal is as before afterwards."""
    before = termios.tcgetattr(descriptor)
    keyboard = Keyboard(descriptor)
    os.write(say, b".")
    select.select([descriptor], [], [], 10)
    heard = keyboard()
    nothing_more = keyboard()
    keyboard.close()
    keyboard.close()
    restored = termios.tcgetattr(descriptor) == before
    return 0 if (heard, nothing_more, restored) == ("q", "", True) else 1


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_key_is_heard_at_once_and_the_terminal_is_given_back() -> None:
    assert in_front(_press) == 0


def test_a_terminal_that_is_not_ours_is_left_alone(terminal: tuple[int, int]) -> None:
    ours, theirs = terminal
    before = termios.tcgetattr(theirs)
    keyboard = Keyboard(theirs)
    os.write(ours, b"q\n")

    assert not keyboard.available
    assert keyboard() == ""
    assert termios.tcgetattr(theirs) == before
    keyboard.close()


def test_a_pipe_is_no_keyboard() -> None:
    reader, writer = os.pipe()
    keyboard = Keyboard(reader)
    os.write(writer, b"q")

    assert not keyboard.available
    assert keyboard() == ""
    keyboard.close()
    os.close(reader)
    os.close(writer)
