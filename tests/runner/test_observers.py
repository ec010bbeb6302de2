from __future__ import annotations

import io
from dataclasses import replace
from threading import Event

import pytest

from stress.analysis.goals.evidence import StoppingRule
from stress.model.plan import Address, Client, Plan, Target
from stress.report.live import LiveView, ProgressLine
from stress.runner.metrics import MetricsAddress
from stress.runner.observers import BusySign, Display, observers_for
from tests.runner.test_metrics import HALFWAY, free_port

PLAN = Plan(Target("lab.test", 443), (Address("127.0.0.1", 443),), (Client("generic"),))


@pytest.mark.parametrize(
    ("plan", "display", "expected"),
    [
        (PLAN, Display(print), []),
        (PLAN, Display(print, io.StringIO()), [ProgressLine]),
        (PLAN, Display(print, io.StringIO(), rewrites=True), [LiveView]),
        (replace(PLAN, goals=("failing<1%",)), Display(print), [StoppingRule]),
    ],
)
def test_a_display_and_goals_make_the_observers(
    plan: Plan, display: Display, expected: list[type]
) -> None:
    with observers_for(plan, display) as observers:
        assert [type(each) for each in observers] == expected


@pytest.mark.slow
def test_what_was_opened_is_closed_also_when_the_run_fails() -> None:
    port = free_port()
    display = Display(
        print, io.StringIO(), rewrites=True, metrics=MetricsAddress("127.0.0.1", port)
    )

    def fail() -> None:
        with observers_for(PLAN, display) as observers:
            raise OSError([type(each).__name__ for each in observers])

    with pytest.raises(OSError, match=r"MetricsServer.*LiveView"):
        fail()
    with observers_for(PLAN, display):  # the port is free again
        pass


class Terminal(io.StringIO):
    """Remembers all that was written, and tells when something was."""

    def __init__(self) -> None:
        super().__init__()
        self.written = Event()

    def write(self, text: str) -> int:
        written = super().write(text)
        self.written.set()
        return written


def test_what_takes_long_says_what_it_is_until_it_is_over() -> None:
    terminal = Terminal()
    with BusySign(terminal, "making the report", after_s=0.0):
        assert terminal.written.wait(30)
        shown = terminal.getvalue()

    assert shown == "making the report …"
    assert terminal.getvalue() == f"{shown}\r\x1b[K"


def test_it_is_over_with_the_first_progress_of_a_run() -> None:
    terminal = Terminal()
    with BusySign(terminal, "starting 2 workers", after_s=0.0) as sign:
        assert terminal.written.wait(30)
        sign.on_progress(HALFWAY)
        sign.on_progress(HALFWAY)
        text = terminal.getvalue()

    assert text == terminal.getvalue() == "starting 2 workers …\r\x1b[K"


def test_a_message_in_between_has_a_line_of_its_own() -> None:
    terminal = Terminal()
    with BusySign(terminal, "merging 2 runs", after_s=0.0) as sign:
        assert terminal.written.wait(30)
        sign.around(lambda text: print(text, file=terminal))("2 runs")

    assert terminal.getvalue() == ("merging 2 runs …\r\x1b[K2 runs\nmerging 2 runs …\r\x1b[K")


def test_a_message_before_it_shows_is_only_a_message() -> None:
    terminal = Terminal()
    with BusySign(terminal, "merging 2 runs", after_s=3600.0) as sign:
        sign.around(lambda text: print(text, file=terminal))("2 runs")

    assert terminal.getvalue() == "2 runs\n"


@pytest.mark.parametrize("stream", [None, io.StringIO()])
def test_what_is_quick_says_nothing(stream: io.StringIO | None) -> None:
    with BusySign(stream, "making the report", after_s=3600.0):
        pass

    assert stream is None or not stream.getvalue()
