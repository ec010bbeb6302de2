"""Windows of time, and which conditions need the ClientHello."""

from __future__ import annotations

import pytest

from stress.lab.blueprint import FaultCondition, Window

ONCE = Window(2.0, 1.0)
AGAIN = Window(2.0, 1.0, 5.0)


@pytest.mark.parametrize(
    ("window", "at_s", "holds"),
    [
        (ONCE, 2.0, True),
        (ONCE, 2.9, True),
        (ONCE, 1.9, False),
        (ONCE, 3.0, False),
        (ONCE, 7.5, False),
        (AGAIN, 7.5, True),
        (AGAIN, 8.5, False),
        (AGAIN, 0.0, False),
        (Window(4.0, 1.0, 3.0), 1.5, False),
    ],
)
def test_a_window_holds_from_its_start_to_before_its_end(
    window: Window, at_s: float, holds: bool
) -> None:
    assert window.holds(at_s) is holds


@pytest.mark.parametrize(
    ("when", "asks"),
    [
        (FaultCondition(best_version=0x0303), True),
        (FaultCondition(hello_over=0), True),
        (FaultCondition(without_name=True), True),
        (FaultCondition(), False),
        (FaultCondition(share=0.5, window=ONCE, over_per_s=3.0), False),
    ],
)
def test_only_conditions_on_the_client_need_its_hello(when: FaultCondition, asks: bool) -> None:
    assert when.needs_hello is asks
