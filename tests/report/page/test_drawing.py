from xml.etree import ElementTree as ET

import pytest

from stress.model.limit import Knob, Limit, Standing, Step
from stress.model.run import Phase
from stress.report.page.drawing import draw_history, draw_knee, draw_panels
from stress.report.page.series import Curve, FailureHistory, Panel

pytestmark = pytest.mark.slow
STARTED_NS = 1_795_392_000_000_000_000
CURVE = Curve(1000, (0.0, 1.0, 2.0, 3.0), (1.0, 2.0, 5.0, 100.0))


def texts(drawn: str) -> list[str]:
    return [each.text or "" for each in ET.fromstring(drawn).iter() if each.tag.endswith("text")]


def test_the_course_is_drawn_with_a_hatch_for_each_ending() -> None:
    failures = (("reset", (1, 0, 3)), ("eof", (0, 2, 0)), ("refused", (1, 1, 1)))
    drawn = draw_history(FailureHistory(1_000_000_000, (10, 12, 5), failures), STARTED_NS)

    assert {"reset (4)", "eof (2)", "refused (3)", "failures", "attempts"} <= set(texts(drawn))
    assert drawn.count("<pattern") == 2
    assert "9 failures in windows of 1 s" in drawn
    assert "style=" not in drawn


def test_a_panel_tells_good_failing_and_lag_apart_by_line() -> None:
    (drawn,) = draw_panels([Panel(Phase.SERVER, CURVE, CURVE, CURVE)])

    assert {"90", "99", "99.9", "percentile", "ms"} <= set(texts(drawn))
    assert drawn.count("stroke-dasharray") == 2
    assert "failing: 1,000 values, longest 100 ms" in drawn


@pytest.mark.parametrize(
    "panel",
    [
        Panel(Phase.TOTAL, None, CURVE, None),
        Panel(Phase.CONNECT, Curve(1, (0.0,), (3.0,)), None, None),
        Panel(Phase.CONNECT, Curve(10**7, (0.0, 7.0), (0.001, 120_000.0)), None, CURVE),
    ],
)
def test_odd_distributions_are_drawn_too(panel: Panel) -> None:
    assert panel.phase.value in draw_panels([panel])[0]


def test_phases_are_drawn_on_the_same_axes() -> None:
    short = Curve(50, (0.0, 1.0), (0.02, 0.05))
    drawn = draw_panels(
        [Panel(Phase.CONNECT, short, None, None), Panel(Phase.TOTAL, CURVE, None, None)]
    )
    ticks = [[text for text in texts(each) if text.strip("0123456789.%,") == ""] for each in drawn]

    assert ticks[0] == ticks[1]
    assert {"0.1", "100", "99.9"} <= set(ticks[0])


@pytest.mark.parametrize("seconds", [0.4, 2, 40, 107, 7000, 130_000])
@pytest.mark.parametrize("narrow", [False, True])
def test_no_two_times_on_the_axis_read_the_same(seconds: float, narrow: bool) -> None:
    width_ns = int(seconds * 1e9 / 4)
    history = FailureHistory(width_ns, (1, 1, 1, 1), (("reset", (1, 0, 0, 0)),))
    times = [
        text for text in texts(draw_history(history, STARTED_NS, narrow=narrow)) if ":" in text
    ]

    assert len(times) == len(set(times))


def test_a_drawing_for_a_telephone_is_as_wide_as_one() -> None:
    history = FailureHistory(1_000_000_000, (10, 12), (("reset", (1, 0)),))
    wide, narrow = (
        ET.fromstring(draw_history(history, STARTED_NS, narrow=one)).attrib["viewBox"].split()
        for one in (False, True)
    )

    assert float(narrow[2]) <= 300
    assert float(wide[2]) >= 600


def test_the_same_run_gives_the_same_drawing() -> None:
    panel = Panel(Phase.SERVER, CURVE, None, CURVE)

    assert draw_panels([panel]) == draw_panels([panel])


@pytest.mark.parametrize("hours", [0.001, 1, 30])
def test_time_is_told_for_runs_of_any_length(hours: float) -> None:
    width_ns = int(hours * 3600e9 / 3)

    assert texts(
        draw_history(FailureHistory(width_ns, (1, 1, 1), (("reset", (1, 0, 0)),)), STARTED_NS)
    )


@pytest.mark.parametrize(
    ("knob", "axis", "told"),
    [
        (Knob.RATE, "offered a second", "held at 100/s and gave way at 200/s"),
        (Knob.CONCURRENCY, "at once", "held at 100 at once and gave way at 200 at once"),
    ],
)
def test_the_knee_is_drawn_between_what_held_and_what_gave_way(
    knob: Knob, axis: str, told: str
) -> None:
    steps = tuple(
        Step(load, 5.0, attempts, failed, 0, 2_000.0, p99, Standing.HELD, "")
        for load, attempts, failed, p99 in (
            (200.0, 800, 90, None),
            (100.0, 400, 0, 9_000.0),
            (400.0, 0, 0, None),
        )
    )
    limit = Limit(
        "failing<1%",
        steps,
        100.0,
        200.0,
        confirmed=True,
        gave_way="reset",
        generator_limited=False,
        knob=knob,
    )

    drawing = draw_knee(limit, "knee-0")

    assert f"the goal {told}" in drawing
    assert axis in texts(drawing)
    assert "400" not in texts(drawing), "a step without an attempt has no place"
