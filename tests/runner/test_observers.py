from __future__ import annotations

import io
from dataclasses import replace

import pytest

from stress.analysis.goals.stopping_rule import StoppingRule
from stress.model.plan import Address, Client, Plan, Target
from stress.report.live import LiveView, ProgressLine
from stress.runner.metrics import MetricsAddress
from stress.runner.observers import Display, observers_for
from tests.runner.test_metrics import free_port

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
