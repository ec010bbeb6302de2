from collections.abc import Sequence

import pytest

from stress.cli.observers import Watching
from stress.model.record import Record
from stress.model.run import Progress

HALFWAY = Progress(15.0, 20_000, None, 10_064, 10_000, 49, 0, 0, 2, 64, 800.0, 0)


class Recorder:
    """Notes what happens to it."""

    def __init__(self, log: list[str], name: str, reason: str | None = None) -> None:
        self._log, self._name, self._reason = log, name, reason

    def __call__(self, progress: Progress) -> str | None:
        self._log.append(f"{self._name} {progress.ended}")
        return self._reason

    def close(self) -> None:
        self._log.append(f"{self._name} closed")


class Broken(Recorder):
    """Cannot be closed."""

    def close(self) -> None:
        super().close()
        raise OSError(self._name)


def test_all_are_told_and_the_first_reason_counts() -> None:
    log: list[str] = []
    watching = Watching(
        [Recorder(log, "a"), Recorder(log, "b", "enough"), Recorder(log, "c", "no")]
    )

    assert watching(HALFWAY) == "enough"
    assert log == ["a 10000", "b 10000", "c 10000"]


class Hearing(Recorder):
    """Wants to see the records too."""

    def hear(self, records: Sequence[Record]) -> None:
        self._log.append(f"{self._name} heard {len(records)}")


def test_those_who_listen_are_shown_the_records() -> None:
    log: list[str] = []
    Watching([Recorder(log, "a"), Hearing(log, "b")]).hear([])

    assert log == ["b heard 0"]


class Pausing(Recorder):
    """Wants the run to stand still."""

    pausing = True


def test_one_who_wants_a_pause_is_enough() -> None:
    log: list[str] = []

    assert Watching([Recorder(log, "a"), Pausing(log, "b")]).pausing()
    assert not Watching([Recorder(log, "a")]).pausing()


def test_nobody_has_no_reason() -> None:
    assert Watching([])(HALFWAY) is None


def test_all_are_closed_also_when_one_fails() -> None:
    log: list[str] = []

    with pytest.raises(OSError, match="b"):
        Watching([Recorder(log, "a"), Broken(log, "b"), Recorder(log, "c")]).close()
    assert log == ["c closed", "b closed", "a closed"]
