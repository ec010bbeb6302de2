"""The fast form of `make simulate`, adversarial worlds: false claims, and their price."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from stress.analysis.goals.evidence import Holds, Stopping, holds
from stress.analysis.goals.goal import parse_goal


@pytest.fixture(scope="module")
def adversarial() -> ModuleType:
    return import_module("benchmarks.adversarial")


def figures(line: str, *names: str) -> list[float]:
    """The numbers that follow these words."""
    return [float(line.split(f"{name} ")[1].split(maxsplit=1)[0].strip("()")) for name in names]


@pytest.mark.slow
def test_bursts_make_no_false_assertion_and_contradict_nothing(adversarial: ModuleType) -> None:
    false = covers = 0.0
    lines = list(adversarial.assertions(20))
    for line in lines:
        wrong, covered, contradictions = figures(line, "false", "covers", "contradictions")
        assert contradictions == 0
        false, covers = false + wrong / len(lines), covers + covered / len(lines)

    assert false <= 0.06
    assert covers >= 0.93


@pytest.mark.slow
def test_steady_worlds_pay_little_for_it(adversarial: ModuleType) -> None:
    lines = [line for line in adversarial.price(6) if "width" in line]

    assert len(lines) == 4
    for line in lines:
        needed, wrong, width = figures(line, "(x", "wrong", "width x")
        assert needed <= 1.35
        assert wrong == 0
        assert width <= 1.3


@pytest.mark.slow
def test_a_world_is_not_worse_than_itself(adversarial: ModuleType) -> None:
    lines = list(adversarial.comparisons(5))
    told = [figures(line, " worse", "better") for line in lines if line.startswith("compare")]

    assert sum(worse for worse, _ in told) / len(told) <= 0.06
    assert sum(better for _, better in told) / len(told) <= 0.06
    for line in lines:
        if line.startswith("doubled"):
            assert figures(line, "called worse")[0] >= 0.9
        else:
            assert "counts are rows 5 of 5" in line


@pytest.mark.slow
def test_no_run_is_stopped_by_a_claim_that_its_bursts_contradict(adversarial: ModuleType) -> None:
    """Dense bursts, those at the edge of what 75 s exclude, and rare ones, watched for 12 min."""
    worlds = (*adversarial.DENSE[2:4], *adversarial.EDGE[:2], *adversarial.WORLDS[3:7])
    lines = list(adversarial.until(6, worlds))
    told = [figures(line, "claimed", "untrue as said", "for 12m") for line in lines]

    assert len(lines) == 8
    assert sum(untrue for _, untrue, _ in told) / len(told) <= 0.1
    assert sum(watched for *_, watched in told) / len(told) <= 0.1
    # What no run can know before its first burst: see docs/decisions/0020-one-interval.md.
    assert sum(claimed for claimed, *_ in told[-4:]) / 4 >= 0.2


def test_slow_handshakes_in_bursts_do_not_hold_a_percentile(adversarial: ModuleType) -> None:
    lines = list(adversarial.percentiles(20))

    assert sum(figures(line, "false")[0] for line in lines) / len(lines) <= 0.05
    assert figures(lines[-1], "right") == [1.0]


def test_whoever_had_the_turn_in_a_burst_is_not_blamed(adversarial: ModuleType) -> None:
    assert all(figures(line, "blamed")[0] <= 0.2 for line in adversarial.blame(5))


def test_the_goal_is_answered_by_the_interval(adversarial: ModuleType) -> None:
    """A burst of fifty in a run of 60,000: 0.08% seen, and up to 0.59% possible."""
    counts = adversarial.BlockCounts((100,) * 600, (0,) * 300 + (50,) + (0,) * 299, 10**9)
    known = adversarial.evidence(counts, Stopping.PLANNED)

    assert known.rate.high == pytest.approx(0.0059, abs=0.0001)
    assert holds(parse_goal("failing<0.5%"), known) is Holds.UNKNOWN
    assert holds(parse_goal("failing<0.6%"), known) is Holds.YES


@pytest.fixture(scope="module")
def simulate() -> ModuleType:
    return import_module("benchmarks.simulate")


def test_the_page_has_every_part_and_no_figure_outside_of_its_bounds(simulate: ModuleType) -> None:
    parts = simulate.parts_of(simulate.PAGE.read_text(encoding="utf-8"))

    assert list(parts) == list(simulate.SIMULATIONS)
    assert [
        wrong
        for trials, lines in parts.values()
        for line in lines
        for wrong in simulate.outside(line, trials)
    ] == []
    assert simulate.page(parts) == simulate.PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "line",
    [
        "until      2 s each 25 s random  claimed 0.900  untrue as said 0.200  for 12m 0.000",
        "until      2 s each 150 s random  claimed 0.900  untrue as said 0.000  for 12m 0.130",
        "doubled    0.1% of 60,000, then twice as much  called worse 0.700",
        "price      truth 0.33 X  seconds 150, was 113 (x 1.33)  wrong 0.000  width x 1.00",
        "assert     2 s each 150 s random  false 0.010  covers 0.980  contradictions 1",
        "assert     2 s each 150 s random  false 0.010  contradictions 0",
        "isolation   100,000 rows  causes 1  recall 0.800  claims 1.00  any 1.000",
    ],
)
def test_a_figure_outside_of_its_bounds_is_named(line: str, simulate: ModuleType) -> None:
    assert len(simulate.outside(line, 100)) == 1


def test_a_part_that_is_made_anew_replaces_itself_only(
    simulate: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text(simulate.page({"price": (7, ["price      kept"]), "blame": (1, ["drift"])}))
    code = simulate.main(["--page", str(page), "--trials", "1", "blame"])

    assert code == 0
    parts = simulate.parts_of(page.read_text())
    assert parts["price"] == (7, ["price      kept"])
    assert parts["blame"] == (1, capsys.readouterr().out.splitlines())
