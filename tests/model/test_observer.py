from __future__ import annotations

from stress.model.observer import LoadController, Observer
from stress.model.plan import Segment
from stress.model.run import Progress

HALFWAY = Progress(15.0, 20_000, None, 10_064, 10_000, 49, 0, 0, 2, 64, 800.0, 0)


class Twice(LoadController):
    """Offers the same segment two times."""

    def __init__(self) -> None:
        self.left = 2

    def next_segment(self) -> Segment | None:
        self.left -= 1
        return Segment(rate=100, seconds=1) if self.left >= 0 else None


def test_an_observer_neither_stops_nor_pauses_a_run_unless_it_says_so() -> None:
    observer = Observer()
    observer.on_records(())

    assert observer.on_progress(HALFWAY) is None
    assert not observer.wants_pause()


def test_a_controller_ends_the_run_by_returning_none() -> None:
    controller = Twice()
    controller.on_records(())
    controller.on_canary((None, 1_000_000))

    assert controller.next_segment() == controller.next_segment() == Segment(100, 1)
    assert controller.next_segment() is None
