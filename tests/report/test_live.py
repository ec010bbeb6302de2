import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from stress.analysis.causes.live_anomalies import LiveAnomalies
from stress.model.limit import Knob, SearchState, Standing, Step
from stress.model.record import Flag, Record
from stress.model.run import Progress, VantageProgress
from stress.model.summary import Interval
from stress.report.live import STOPPED, LiveView, ProgressLine, SearchLine, describe, of_vantages

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
    lag_ns=3_000_000,
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Bounds:
    """Counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, failures: int, attempts: int) -> Interval:
        self.asked += 1
        share = failures / attempts
        return Interval(0.95, share / 2, share * 2, "invented")


def view(
    stream: io.StringIO,
    keys: Callable[[], str] | None = None,
    search: Callable[[], SearchState] | None = None,
) -> LiveView:
    return LiveView(
        stream,
        Bounds(),
        target="x.test:443",
        cap=128,
        keys=keys,
        suspects=LiveAnomalies(["192.0.2.7:443"], ["generic"]),
        search=search,
    )


def shown(progress: Progress, width: int = 100) -> str:
    live = view(Terminal())
    live.on_progress(progress)
    console = Console(file=io.StringIO(), width=width)
    console.print(live.frame(progress))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_it_says_where_the_run_stands() -> None:
    text = shown(HALFWAY)

    assert "x.test:443  15 s, 12 s left" in text
    assert "10,000 of 20,000  800/s" in text
    assert "49 of 10,000: 0.49% (95% CI 0.24\u20130.98%)" in text
    assert "64 of 128" in text
    assert "3.00 ms" in text
    assert "not counted" not in text


@pytest.mark.parametrize(
    ("progress", "part"),
    [
        (replace(HALFWAY, lag_ns=30_000_000), "30.0 ms: this machine is busy"),
        (
            replace(HALFWAY, ours=3, not_sent=7),
            "3 failed on this machine, 7 not sent: concurrency limit",
        ),
        (replace(HALFWAY, total=None, duration_s=60.0), "45 s left"),
        (replace(HALFWAY, ended=0, failed=0, rate=0.0), "failing      -"),
        (replace(HALFWAY, total=None, rate=0.0), "x.test:443  15 s\n"),
    ],
)
def test_odd_states_have_their_words(progress: Progress, part: str) -> None:
    assert part in shown(progress)


@pytest.mark.parametrize("width", [20, 60, 80])
def test_nothing_is_cut_on_a_narrow_terminal(width: int) -> None:
    text = shown(HALFWAY, width)

    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    if width >= 60:
        assert "failing      49 of 10,000: 0.49% (95% CI 0.24\u20130.98%)" in text
        assert text.endswith("recorded is reported\n")


def test_count_and_rate_are_seen_at_sixty_columns() -> None:
    assert "10,000 of 20,000  800/s" in shown(HALFWAY, 60)


def record(number: int, **odd: Any) -> Record:
    good = Record(
        number, 0, 0, 0, None, None, 0, "ok", 5, None, None, None, None, None, None,
        1, 2_000_000, 3_000_000, 4, 5, 6, 0, 0, None,
    )  # fmt: skip
    return good._replace(**odd)


def test_it_shows_outcomes_and_latencies() -> None:
    live = view(Terminal())
    bad = record(3, outcome="reset", server_ns=None, handshake_ns=90_000_000)
    slow = record(4, server_ns=80_000_000, flags=Flag.WARM_UP)
    live.on_records([*map(record, range(50)), bad, bad, slow, record(5, outcome="cancelled")])
    live.on_progress(HALFWAY)
    console = Console(file=io.StringIO(), width=100)
    console.print(live.frame(HALFWAY))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()

    assert "server p50 2.00, p99 2.00 ms; handshake p50 3.00, p99 3.00 ms" in text
    assert "  reset 2\n" in "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
    assert "cancelled" not in text


def test_q_stops_the_run_and_the_view_says_so() -> None:
    typed = iter(["", "xQ", ""])
    stream = Terminal()
    live = view(stream, lambda: next(typed))

    assert live.on_progress(HALFWAY) is None
    assert live.on_progress(replace(HALFWAY, elapsed_s=16.0)) == STOPPED
    assert live.on_progress(replace(HALFWAY, elapsed_s=17.0)) == STOPPED
    assert "stopping" in stream.getvalue()


def test_p_pauses_and_p_again_resumes() -> None:
    typed = iter(["p", "", "pp", "p", "p", "q"])
    stream = Terminal()
    live = view(stream, lambda: next(typed))
    wishes = []
    for second in range(6):
        live.on_progress(replace(HALFWAY, elapsed_s=16.0 + second))
        wishes.append(live.wants_pause())

    assert wishes == [True, True, True, False, True, False]
    assert "paused, p: resume, q: stop gracefully" in stream.getvalue()
    assert "p: pause" in stream.getvalue()


def test_a_run_that_must_not_stand_still_offers_no_pause() -> None:
    stream = Terminal()
    nobody = LiveAnomalies([], [])
    live = LiveView(
        stream, Bounds(), target="x", cap=1, keys=lambda: "p", suspects=nobody, may_pause=False
    )
    live.on_progress(HALFWAY)

    assert not live.wants_pause()
    assert "p: pause" not in stream.getvalue()


def test_time_that_the_run_stood_still_is_not_counted() -> None:
    text = shown(replace(HALFWAY, total=None, duration_s=60.0, elapsed_s=45.0, stood_s=30.0))

    assert "x.test:443  15 s, 45 s left" in text


def test_chains_and_suspects_are_named() -> None:
    live = view(Terminal())
    good, bad = bytes(32), b"\x9d" + bytes(31)
    live.on_records([record(number, chain=good) for number in range(300)])
    live.on_records([record(number, chain=bad, outcome="expired-leaf") for number in range(9)])
    live.on_progress(HALFWAY)
    console = Console(file=io.StringIO(), width=100)
    console.print(live.frame(HALFWAY))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()

    assert "2: 000000000000 ok 300, 9d0000000000 expired-leaf 9" in text
    assert "chain 9d0000000000: 9 of 9 fail (100%), elsewhere 0 of 300" in text


def test_without_a_keyboard_no_key_is_offered() -> None:
    stream = Terminal()
    view(stream).on_progress(HALFWAY)

    assert "q: stop" not in stream.getvalue()
    assert "Ctrl-C" in stream.getvalue()


def test_it_draws_rarely_and_computes_the_interval_more_rarely() -> None:
    bounds, stream = Bounds(), Terminal()
    live = LiveView(stream, bounds, target="x", cap=1, keys=None, suspects=LiveAnomalies([], []))
    for tenth in range(100):
        live.on_progress(replace(HALFWAY, elapsed_s=tenth / 10))

    assert bounds.asked <= 11
    assert stream.getvalue().count("in flight") <= 35


def test_the_terminal_is_left_as_it_was() -> None:
    stream = Terminal()
    live = view(stream)
    live.on_progress(HALFWAY)
    live.close()
    live.close()

    assert stream.getvalue().startswith("\x1b[?25l")
    assert "\x1b[?25h" in stream.getvalue()


class Gone(Terminal):
    """A terminal whose window was closed."""

    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


def test_a_terminal_that_has_gone_silences_the_view_and_not_the_run() -> None:
    live = view(Gone())

    assert live.on_progress(HALFWAY) is None
    assert live.on_progress(replace(HALFWAY, elapsed_s=20.0)) is None
    live.close()


def test_the_line_says_done_rate_failing_chains_in_flight_and_time_left() -> None:
    assert describe(HALFWAY, Bounds()) == (
        "10,000/20,000  800/s  failing 49 (0.49%, 0.24\u20130.98%)"
        "  2 chains  64 in flight  12 s left"
    )


@pytest.mark.parametrize(
    ("progress", "part"),
    [
        (replace(HALFWAY, ended=0, failed=0, rate=0.0), "failing 0  "),
        (replace(HALFWAY, ended=3, ours=3, failed=0), "failing 0  "),
        (replace(HALFWAY, ours=3), "3 local"),
        (replace(HALFWAY, not_sent=1_200), "1,200 not sent"),
        (replace(HALFWAY, total=None, duration_s=60.0), "10,000  800/s"),
        (replace(HALFWAY, total=None, duration_s=60.0), "45 s left"),
        (replace(HALFWAY, duration_s=20.0), "5 s left"),
    ],
)
def test_a_line_has_words_for_odd_states(progress: Progress, part: str) -> None:
    assert part in describe(progress, Bounds())


def test_a_run_that_has_not_begun_to_end_claims_no_time_left() -> None:
    assert "left" not in describe(replace(HALFWAY, rate=0.0), Bounds())


def test_a_pipe_gets_plain_lines_every_five_seconds() -> None:
    stream = io.StringIO()
    line = ProgressLine(stream, Bounds())

    for tenth in range(121):
        line.on_progress(replace(HALFWAY, elapsed_s=tenth / 10))

    lines = stream.getvalue().splitlines()
    assert [each.split("]")[0] for each in lines] == ["[5 s", "[10 s"]
    assert "\r" not in stream.getvalue()


PARTED = replace(
    HALFWAY,
    vantages=(
        VantageProgress("fra", HALFWAY),
        VantageProgress("newyork", replace(HALFWAY, failed=0, chains=1), lost=True),
    ),
)


def test_each_vantage_has_a_line_of_its_own_and_one_that_is_lost_is_told() -> None:
    stream = io.StringIO()

    ProgressLine(stream, Bounds()).on_progress(PARTED)

    assert stream.getvalue().splitlines()[1:] == [
        f"{' ' * 7}fra      10,000  800/s  failing 49  2 chains  lag 3.00 ms",
        f"{' ' * 7}newyork  10,000  800/s  failing 0  1 chain  lost",
    ]
    assert "newyork  10,000  800/s  failing 0  1 chain  lost" in shown(PARTED)


def test_of_many_vantages_the_worst_are_shown() -> None:
    many = tuple(
        VantageProgress(f"v{number:02}", replace(HALFWAY, failed=number), lost=number == 3)
        for number in range(20)
    )

    lines = list(of_vantages(replace(HALFWAY, vantages=many)))

    assert [line.split()[0] for line in lines[:3]] == ["v03", "v19", "v18"]
    assert lines[8:] == ["and 12 more"]


class ClosedPipe(io.StringIO):
    """A stream that nobody reads any more."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


def test_a_closed_pipe_silences_the_line_and_not_the_run() -> None:
    line = ProgressLine(ClosedPipe(), Bounds())

    line.on_progress(HALFWAY)
    line.on_progress(replace(HALFWAY, elapsed_s=20.0))


@pytest.mark.parametrize(("width", "chains"), [(110, True), (100, False)])
def test_a_line_that_is_too_wide_leaves_out_what_matters_least(
    width: int,
    chains: bool,
) -> None:
    stream = io.StringIO()
    show = ProgressLine(stream, Bounds(), width=width)
    show.on_progress(replace(HALFWAY, total=200_000, not_sent=234, ours=567))
    (line,) = stream.getvalue().splitlines()

    assert len(line) <= width
    assert "failing 49" in line
    assert line.endswith("left")
    assert ("2 chains" in line) is chains
    assert "in flight" not in line


def _failed_at(load: float) -> Step:
    return Step(load, 5.0, 1_200, 40, 0, 900.0, 9_000.0, Standing.GAVE_WAY, "")


STATE = SearchState(
    step=7,
    load=212.4,
    knob=Knob.RATE,
    seconds=5.0,
    tries=1,
    confirming=False,
    last=_failed_at(240.0),
    held=200.0,
    failed=240.0,
    after_s=35.0,
)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (
            STATE,
            "step 7: 212/s  last 240/s failed  bracket: held 200/s, not 240/s  40 s left",
        ),
        (
            replace(STATE, step=1, load=50.0, last=None, held=None, failed=None, after_s=None),
            "step 1: 50/s  5 s left in this step",
        ),
        (
            replace(STATE, tries=2, confirming=True, seconds=30.0, after_s=0.0, held=None),
            "step 7, try 2: 212/s to confirm  last 240/s failed  bracket: not 240/s  30 s left",
        ),
        (
            replace(
                STATE, knob=Knob.CONCURRENCY, load=12, held=9, failed=None, last=_failed_at(24)
            ),
            "step 7: 12 at once  last 24 at once failed  bracket: held 9 at once  40 s left",
        ),
    ],
)
def test_a_search_is_told_by_its_step_its_bracket_and_the_time_left(
    state: SearchState, words: str
) -> None:
    assert SearchLine(lambda: state).words(HALFWAY) == words


def test_a_part_of_a_sweep_is_named_first() -> None:
    line = SearchLine(lambda: replace(STATE, of="generic, full"))

    assert line.words(HALFWAY).startswith("generic, full  step 7: 212/s")


def test_the_time_left_of_a_step_counts_from_its_beginning() -> None:
    states = [STATE, STATE, replace(STATE, step=8), replace(STATE, step=8, tries=2)]
    line = SearchLine(lambda: states.pop(0))
    told = [line.words(replace(HALFWAY, elapsed_s=at_s)) for at_s in (10.0, 12.0, 15.0, 21.0)]

    assert [words.rpartition("  ")[2] for words in told] == [
        "40 s left",
        "38 s left",
        "40 s left",
        "40 s left",
    ]


def test_a_line_and_a_frame_show_the_search() -> None:
    stream = io.StringIO()
    ProgressLine(stream, Bounds(), search=lambda: STATE).on_progress(HALFWAY)
    live = view(Terminal(), search=lambda: STATE)
    console = Console(file=io.StringIO(), width=100)
    console.print(live.frame(HALFWAY))

    assert stream.getvalue().startswith("[15 s] step 7: 212/s  last 240/s failed")
    assert isinstance(console.file, io.StringIO)
    assert "step 7: 212/s  last 240/s failed" in console.file.getvalue()
