from collections.abc import Sequence

import pytest

from stress.measure import Histogram
from stress.model.run import HistogramRow, Phase
from stress.report.page.series import Curve, curve, panels


def histogram(milliseconds: Sequence[float]) -> Histogram:
    made = Histogram()
    made.record_many([int(each * 1e6) for each in milliseconds])
    return made


def row(phase: Phase, values: Sequence[float], *, good: bool = True) -> HistogramRow:
    return HistogramRow(phase, good, -1, histogram(values).encode(), 0)


def test_a_curve_goes_from_the_shortest_to_the_longest_and_never_down() -> None:
    found = curve(histogram([*range(1, 1000), 5000.0]))

    assert found is not None
    assert found.count == 1000
    assert found.milliseconds[0] == pytest.approx(1, rel=0.01)
    assert found.milliseconds[-1] == pytest.approx(5000, rel=0.01)
    assert list(found.milliseconds) == sorted(found.milliseconds)
    assert found.nines[0] == 0
    assert found.nines[-1] == pytest.approx(3)


def test_of_ten_values_nothing_is_said_about_the_99th_percentile() -> None:
    found = curve(histogram(range(1, 11)))

    assert found is not None
    assert max(found.nines) == pytest.approx(1)


@pytest.mark.parametrize("nothing", [None, Histogram()])
def test_where_nothing_was_recorded_there_is_no_curve(nothing: Histogram | None) -> None:
    assert curve(nothing) is None


def test_good_and_failing_attempts_are_never_one_curve() -> None:
    rows = [
        row(Phase.SERVER, [1] * 90),
        row(Phase.SERVER, [50] * 10, good=False),
        row(Phase.LAG, [0.1] * 100),
        row(Phase.CONNECT, []),
    ]

    (panel,) = panels(rows)

    assert panel.phase is Phase.SERVER
    assert [isinstance(each, Curve) for each in (panel.good, panel.failing, panel.lag)] == [
        True
    ] * 3
    assert panel.good is not None
    assert panel.failing is not None
    assert (panel.good.count, panel.failing.count) == (90, 10)
    assert max(panel.good.milliseconds) < min(panel.failing.milliseconds)
