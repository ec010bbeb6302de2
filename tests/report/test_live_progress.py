import io
from dataclasses import replace

import pytest

from stress.model.run import Progress
from stress.model.summary import Interval
from stress.report.live import Manner, ProgressLine, describe

HALFWAY = Progress(
    elapsed_s=15.0,
    total=20_000,
    duration_s=None,
    started=10_064,
    ended=10_000,
    failed=49,
    ours=0,
    not_sent=0,
    chains=2,
    in_flight=64,
    rate=800.0,
    lag_ns=0,
)


def bounds(failures: int, attempts: int) -> Interval:
    share = failures / attempts
    return Interval(0.95, share / 2, share * 2, "invented")


def test_the_line_says_done_rate_failing_chains_in_flight_and_time_left() -> None:
    assert describe(HALFWAY, bounds) == (
        "10,000/20,000  800/s  failing 49 (0.49%, 0.24\u20130.98%)"
        "  2 chains  64 in flight  12 s left"
    )


@pytest.mark.parametrize(
    ("progress", "part"),
    [
        (replace(HALFWAY, ended=0, failed=0, rate=0.0), "failing 0  "),
        (replace(HALFWAY, ended=3, ours=3, failed=0), "failing 0  "),
        (replace(HALFWAY, ours=3), "3 ours"),
        (replace(HALFWAY, not_sent=1_200), "1,200 not sent"),
        (replace(HALFWAY, total=None, duration_s=60.0), "10,000  800/s"),
        (replace(HALFWAY, total=None, duration_s=60.0), "45 s left"),
        (replace(HALFWAY, duration_s=20.0), "5 s left"),
    ],
)
def test_odd_states_have_their_words(progress: Progress, part: str) -> None:
    assert part in describe(progress, bounds)


def test_a_run_that_has_not_begun_to_end_claims_no_time_left() -> None:
    assert "left" not in describe(replace(HALFWAY, rate=0.0), bounds)


def test_a_terminal_sees_one_line_rewritten_and_wiped() -> None:
    stream = io.StringIO()
    line = ProgressLine(stream, bounds, Manner.LIVE)

    line(HALFWAY)
    line(replace(HALFWAY, elapsed_s=15.05))
    line(replace(HALFWAY, elapsed_s=15.2, ended=20_000, in_flight=0))
    line.close()

    shown = stream.getvalue()
    assert shown.count("\r") == 4
    assert "\n" not in shown
    assert shown.endswith(" \r")


def test_the_live_line_never_wraps() -> None:
    stream = io.StringIO()

    ProgressLine(stream, bounds, Manner.LIVE, width=40)(HALFWAY)

    assert len(stream.getvalue().strip("\r")) == 39


def test_a_pipe_gets_plain_lines_every_five_seconds() -> None:
    stream = io.StringIO()
    line = ProgressLine(stream, bounds, Manner.PLAIN)

    for tenth in range(121):
        line(replace(HALFWAY, elapsed_s=tenth / 10))
    line.close()

    lines = stream.getvalue().splitlines()
    assert [each.split("]")[0] for each in lines] == ["[5 s", "[10 s"]
    assert "\r" not in stream.getvalue()


class ClosedTerminal(io.StringIO):
    """A stream whose other end has gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


def test_a_closed_terminal_silences_the_line_and_not_the_run() -> None:
    line = ProgressLine(ClosedTerminal(), bounds, Manner.LIVE)

    line(HALFWAY)
    line(replace(HALFWAY, elapsed_s=20.0))
    line.close()


@pytest.mark.parametrize(("width", "chains"), [(110, True), (100, False)])
def test_a_line_that_is_too_wide_leaves_out_what_matters_least(
    width: int,
    chains: bool,
) -> None:
    stream = io.StringIO()
    show = ProgressLine(stream, bounds, Manner.PLAIN, width=width)
    show(replace(HALFWAY, total=200_000, not_sent=234, ours=567))
    (line,) = stream.getvalue().splitlines()

    assert len(line) <= width
    assert "failing 49" in line
    assert line.endswith("left")
    assert ("2 chains" in line) is chains
    assert "in flight" not in line
