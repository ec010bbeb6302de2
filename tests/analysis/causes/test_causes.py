from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from stress.analysis.causes.causes import explain
from stress.analysis.recording import record
from stress.analysis.tally import count
from stress.codes.names import version_name
from stress.model.claims import ClaimSet, Shape, Silence
from stress.model.outcome import Stage
from stress.model.plan import Client, Load, Plan, Segment
from stress.model.record import Record
from stress.model.run import Cell, PortCount, Run, SeenChain


def explained(run: Run) -> ClaimSet:
    return explain(record(run), count(run.cube().cells))


def told(run: Run) -> list[tuple[str, list[str], int]]:
    return [
        (cause.category, [one.text for one in cause.conditions], cause.failures)
        for cause in explained(run).failing
    ]


def test_the_chain_alone_is_the_mechanism(leaf_alone: Run) -> None:
    (cause,) = explained(leaf_alone).failing

    assert cause.mechanism is not None
    assert cause.mechanism.met.failures == 98
    assert cause.conditions == ()
    assert (cause.failures, cause.attempts, cause.precision, cause.recall) == (98, 98, 1.0, 1.0)
    assert cause.grade == "by-definition"
    assert cause.likely[0].id == "intermediate-not-deployed"
    assert cause.clients["java-17"].fails == "yes"


def both_chrome_and_firefox_once(like: Cell) -> int:
    """One failure of the other client leaves open whether it meets them, too."""
    return 9 if like.client == 1 else int(like.block == 7)


@pytest.mark.parametrize(
    ("failing", "chrome", "firefox", "java"),
    [
        (lambda like: 9 * (like.address == 1), "yes", "yes", "yes"),
        (lambda like: 9 * (like.client == 1), "no", "yes", "sometimes"),
        (both_chrome_and_firefox_once, "sometimes", "yes", "sometimes"),
        (lambda like: 9 * (like.tls_version == 0x0303), "sometimes", "sometimes", "sometimes"),
    ],
    ids=["an address", "a client", "a client, and one other failure", "a TLS version"],
)
def test_failures_that_follow_the_hello_are_met_by_those_who_send_it(
    located: Callable[..., Run],
    failing: Callable[[Cell], int],
    chrome: str,
    firefox: str,
    java: str,
) -> None:
    plan = replace(located(failing).facts().plan, clients=(Client("chrome"), Client("firefox")))
    views = explained(located(failing, plan=plan)).failing[0].clients

    assert [views[one].fails for one in ("chrome", "firefox", "java-17")] == [chrome, firefox, java]
    told = "SocketException: Connection reset"
    assert (views["java-17"].reports == told) is (java == "yes")


def test_the_chain_is_what_failed_and_the_address_is_where(
    located: Callable[..., Run], leaf_and_more: tuple[SeenChain, SeenChain]
) -> None:
    run = located(
        lambda like: 25 if like.address == 1 else 0,
        outcome="incomplete-chain",
        chains=leaf_and_more,
    )
    cells = tuple(one._replace(chain=2) if one.outcome != "ok" else one for one in run.cube().cells)
    run.the_cube = replace(run.cube(), cells=cells)  # type: ignore[attr-defined] # the fake
    (cause,) = explained(run).failing

    assert [one.value for one in cause.conditions] == ["10.0.3.7:443"]
    assert cause.mechanism is not None
    assert cause.grade == "strong"
    assert cause.mechanism.met.failures == cause.mechanism.met.attempts
    assert cause.experiment is not None
    assert [str(one) for one in cause.experiment.addresses or ()] == ["10.0.3.7:443"]


def test_two_causes_are_two(located: Callable[..., Run]) -> None:
    def failing(like: Cell) -> int:
        if like.address == 1:
            return 6
        return 3 if like.client == 1 and like.tls_version == 0x0303 else 0

    assert told(located(failing)) == [
        ("reset", ["10.0.3.7:443"], 960),
        ("reset", ["chrome", "TLS 1.2"], 360),
    ]


def test_a_client_that_mostly_asks_the_bad_addresses_is_not_blamed(
    located: Callable[..., Run],
) -> None:
    run = located(lambda like: 4 if like.address < 2 else 1, each=100)
    busy = [
        one._replace(count=9 * one.count) if (one.client == 1) == (one.address < 2) else one
        for one in run.cube().cells
    ]
    run.the_cube = replace(run.cube(), cells=busy)  # type: ignore[attr-defined] # the fake
    causes = explained(run).failing

    assert [[one.dimension for one in cause.conditions] for cause in causes] == [["address"]] * 2
    assert {cause.conditions[0].value for cause in causes} == {"10.0.3.6:443", "10.0.3.7:443"}


def test_the_second_cause_is_told_without_the_failures_of_the_first(
    located: Callable[..., Run],
) -> None:
    """An outage of one address does not make a client's steady failures a matter of time."""

    def failing(like: Cell) -> int:
        if like.address == 1 and 20 <= like.block < 24:
            return 20
        return int(like.client == 1 and like.block % 2)

    first, second = explained(located(failing)).failing

    assert {one.dimension for one in first.conditions} == {"address", "time"}
    assert [one.value for one in second.conditions] == ["chrome"]
    assert second.timing.shape is not Shape.WINDOW
    assert second.grade == "strong"


def test_what_cannot_be_told_apart_is_said(located: Callable[..., Run]) -> None:
    """One client asked one address only, and nobody else did."""
    run = located(lambda like: 5 if like.address == 1 else 0)
    kept = [one for one in run.cube().cells if (one.client == 1) == (one.address == 1)]
    run.the_cube = replace(run.cube(), cells=kept)  # type: ignore[attr-defined] # the fake
    (cause,) = explained(run).failing

    assert [one.text for one in cause.conditions] == ["10.0.3.7:443"]
    assert ["chrome"] in [[one.text for one in way] for way in cause.aliases]


def test_what_is_the_same_within_a_place_is_said(located: Callable[..., Run]) -> None:
    """One client knows TLS 1.2 only, and the others never speak it."""
    run = located(lambda like: 5 if like.address == 1 and like.client == 1 else 0)
    kept = [one for one in run.cube().cells if (one.client == 1) == (one.tls_version == 0x0303)]
    run.the_cube = replace(run.cube(), cells=kept)  # type: ignore[attr-defined] # the fake
    (cause,) = explained(run).failing

    (way,) = [way for way in cause.aliases if len(way) == 2][:1]
    assert {one.dimension for one in (*cause.conditions, *way)} >= {"client", "tls_version"}


def test_a_port_explains_what_nothing_else_does(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    cells = [cell(70, block=block) for block in range(40)]
    cells += [
        cell(10, block=block, outcome="reset", stage=Stage.CLIENT_HELLO) for block in range(40)
    ]
    ports = [PortCount(p, 1, int(p % 8 == 3)) for p in range(33_000, 36_200)]
    (cause,) = explained(recorded(cells, ports=ports)).failing

    assert [(one.dimension, one.value) for one in cause.conditions] == [
        ("local_port", "port mod 8 = 3")
    ]
    assert cause.failures == 400
    assert cause.grade == "strong"


def test_failures_in_turn_are_told(
    recorded: Callable[..., Run], cell: Callable[..., Cell], record: Callable[..., Record]
) -> None:
    cells = [cell(70, block=block) for block in range(40)]
    cells += [
        cell(10, block=block, outcome="reset", stage=Stage.CLIENT_HELLO) for block in range(40)
    ]
    rows = [record(8 * number + 5) for number in range(400)]
    found = explained(recorded(cells, records=rows))

    assert found.failing == ()
    assert found.unexplained.failures == 400
    assert found.unexplained.recurrence is not None
    assert found.unexplained.recurrence.cycle == 8


def test_failures_by_the_clock_are_told(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    cells = [cell(50, block=block) for block in range(600)]
    cells += [
        cell(1, block=block, outcome="reset", stage=Stage.CLIENT_HELLO)
        for block in range(7, 600, 30)
    ]

    recurrence = explained(recorded(cells)).unexplained.recurrence

    assert recurrence is not None
    assert recurrence.seconds is not None


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_queue_is_traced_to_the_rates_that_fill_it(
    recorded: Callable[..., Run], plan: Plan, simulate: ModuleType, seed: int
) -> None:
    """It fails at low rates too, for as long as it takes to recover; those times are no cause."""
    load = simulate.queues.varied(480.0, 400.0, seed)
    fails = simulate.queues.queue(400.0, 3.0)
    cube = simulate.queues.offer(load, fails, np.random.default_rng(seed))
    (cause,) = explained(recorded(cube.cells, plan=replace(plan, load=load))).failing

    assert {one.dimension for one in cause.conditions} == {"rate"}
    assert cause.conditions[0].value in {"480/s or more", "600/s"}
    assert cause.recall == 1.0
    assert cause.backlog


def test_rates_above_a_limit_are_one_cause(
    recorded: Callable[..., Run], cell: Callable[..., Cell], plan: Plan
) -> None:
    """Also where each stretch has blocks of its own, in which there is nothing to compare with."""
    rates = [100.0, 400.0, 200.0, 500.0, 300.0] * 4
    load = Load(rate=300.0, segments=tuple(Segment(rate, 2.0) for rate in rates))
    cells = []
    for block in range(40):
        rate = rates[block // 2]
        failed = {400.0: 80, 500.0: 200}.get(rate, 0)
        cells.append(cell(int(rate) - failed, block=block, segment=block // 2))
        if failed:
            cells.append(cell(failed, block=block, segment=block // 2, outcome="reset"))
    (cause,) = explained(recorded(cells, plan=replace(plan, load=load))).failing

    assert [(one.dimension, one.value) for one in cause.conditions] == [("rate", "400/s or more")]
    assert (cause.failures, cause.attempts) == (2240, 7200)
    assert cause.worst is not None
    assert [one.text for one in cause.worst[0]] == ["500/s"]


def test_an_outage_beside_a_limit_is_one_episode_and_no_second_limit(
    recorded: Callable[..., Run], cell: Callable[..., Cell], plan: Plan
) -> None:
    rates = [100.0, 400.0, 200.0, 500.0, 300.0] * 8
    load = Load(rate=300.0, segments=tuple(Segment(rate, 5.0) for rate in rates))
    cells = []
    for block in range(200):
        offered = rates[block // 5]
        failed = 200 if offered == 500.0 else 20 if block // 5 == 15 else 0
        cells.append(cell(int(offered) - failed, block=block, segment=block // 5))
        if failed:
            cells.append(cell(failed, block=block, segment=block // 5, outcome="reset"))
    limit, outage = explained(recorded(cells, plan=replace(plan, load=load))).failing

    assert (limit.conditions[0].value, limit.grade) == ("500/s", "strong")
    assert (outage.conditions[0].value, outage.grade) == ("100/s", "one-episode")
    assert outage.failures == 100


def test_a_rate_that_was_not_varied_at_random_is_only_a_time(
    recorded: Callable[..., Run], cell: Callable[..., Cell], plan: Plan
) -> None:
    """In a staircase a deploy looks like load: both are told, neither is believed more."""
    load = Load(rate=300.0, segments=tuple(Segment(100.0 * n, 5.0) for n in range(1, 6)))
    cells = [cell(100 * (block // 5 + 1), block=block, segment=block // 5) for block in range(25)]
    cells += [cell(9, block=block, segment=4, outcome="reset") for block in range(20, 25)]
    (cause,) = explained(recorded(cells, plan=replace(plan, load=load))).failing
    ways = [cause.conditions, *cause.aliases]

    assert {way[0].dimension for way in ways} == {"rate", "time"}


@pytest.mark.parametrize(
    ("endings", "unexplained", "silence"),
    [
        ({"ok": 100}, 0, None),
        ({"ok": 99, "reset": 1}, 1, Silence.NOTHING_DIFFERS),
        ({"ok": 97, "reset": 3}, 3, Silence.NOTHING_DIFFERS),
        ({"reset": 50}, 50, Silence.ALL_FAILED),
        ({"reset": 1}, 1, Silence.ALL_FAILED),
        ({"ok": 5, "alert-40": 2, "eof": 1}, 3, Silence.NOTHING_DIFFERS),
    ],
)
def test_what_nothing_explains_is_left(
    recorded: Callable[..., Run],
    cell: Callable[..., Cell],
    endings: dict[str, int],
    unexplained: int,
    silence: Silence | None,
) -> None:
    found = explained(recorded([cell(number, outcome=name) for name, number in endings.items()]))

    assert found.failing == ()
    assert found.unexplained.failures == unexplained
    assert found.unexplained.silence is silence
    assert bool(found.unexplained.likely) == bool(unexplained)


def test_silence_says_what_would_have_been_seen(located: Callable[..., Run]) -> None:
    scattered = {
        (b, a, c) for b, a, c in zip(range(0, 40, 4), [0, 1, 2, 3] * 3, [0, 1] * 5, strict=False)
    }
    found = explained(
        located(lambda like: int((like.block, like.address, like.client) in scattered))
    )

    assert found.failing == ()
    assert found.unexplained.silence is Silence.NOT_FOUND
    assert found.unexplained.considered > 0


def test_few_of_each_kind_are_too_few(located: Callable[..., Run]) -> None:
    run = located(lambda like: int(like.block == 3 and like.address == 1 and like.client == 1))
    cells = tuple(
        one._replace(outcome="eof") if one.outcome != "ok" and one.tls_version == 0x0303 else one
        for one in run.cube().cells
    )
    run.the_cube = replace(run.cube(), cells=cells)  # type: ignore[attr-defined] # the fake

    assert explained(run).unexplained.silence is Silence.TOO_FEW


def test_randomised_rates_tell_configuration_from_capacity(
    located: Callable[..., Run],
) -> None:
    run = located(lambda like: 5 if like.address == 1 else 0)
    cells = tuple(
        one._replace(count=one.count * (1 + one.block % 4), segment=one.block // 2)
        for one in run.cube().cells
    )
    run.the_cube = replace(run.cube(), cells=cells)  # type: ignore[attr-defined] # the fake
    steady = tuple(one._replace(count=one.count * (1 + one.block // 2 % 4)) for one in cells)
    run.the_cube = replace(run.cube(), cells=steady)  # type: ignore[attr-defined] # the fake

    load = explained(run).load

    assert load is not None
    assert (load.dependent, load.concentrated) == (False, True)


@pytest.mark.parametrize("also", [{"client": 0}, {"tls_version": 0x0304}, {"client": 1}])
def test_overlapping_causes_and_the_rest_add_up(
    located: Callable[..., Run], also: dict[str, int]
) -> None:
    """Two causes in one address that share connections: none is counted twice."""

    def failing(like: Cell) -> int:
        if like.address != 1:
            return 0
        first = like.client == 1 and like.tls_version == 0x0303
        second = all(getattr(like, name) == value for name, value in also.items())
        return 9 * first + 7 * second

    run = located(failing)
    found = explained(run)
    whole = count(run.cube().cells).failures

    assert sum(claim.failures for claim in found.failing) + found.unexplained.failures == whole
    assert found.unexplained.failures >= 0
    for claim in found.failing:
        assert sum(n for _, n in claim.shared) >= claim.inside.failures - claim.failures >= 0
        rows = [
            one
            for one in run.cube().cells
            if all(_text(run, one, each.dimension) == each.text for each in claim.conditions)
        ]
        assert claim.inside.attempts == sum(one.count for one in rows)
        assert claim.inside.failures == sum(one.count for one in rows if one.outcome != "ok")


def _text(run: Run, one: Cell, dimension: str) -> str:
    """The value of a cell, as a condition names it."""
    return {
        "address": str(run.addresses()[one.address]),
        "client": run.facts().plan.clients[one.client].name,
        "tls_version": version_name(one.tls_version or 0),
    }[dimension]
