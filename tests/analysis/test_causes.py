from collections.abc import Callable
from dataclasses import replace

import pytest

from stress.analysis.causes import explain
from stress.analysis.explanation import Explanation
from stress.analysis.recording import record
from stress.analysis.tally import count
from stress.model.outcome import Stage
from stress.model.record import Record
from stress.model.run import Cell, PortCount, Run, SeenChain


def explained(run: Run) -> Explanation:
    return explain(record(run), count(run.cube().cells))


def told(run: Run) -> list[tuple[str, list[str], int]]:
    return [
        (cause.category, [one.value for one in cause.conditions], cause.failures)
        for cause in explained(run).causes
    ]


def test_the_chain_alone_is_the_mechanism(leaf_alone: Run) -> None:
    (cause,) = explained(leaf_alone).causes

    assert cause.mechanism is not None
    assert cause.mechanism.dimension == "chain"
    assert cause.conditions == ()
    assert (cause.failures, cause.attempts, cause.precision, cause.recall) == (98, 98, 1.0, 1.0)
    assert cause.grade == "by-definition"
    assert "cert.pem" in cause.likely[0]
    assert "Lab Intermediate A" in cause.fix
    assert cause.clients["java-17"].fails == "yes"


def test_the_chain_is_what_failed_and_the_address_is_where(
    located: Callable[..., Run], leaf_and_more: tuple[SeenChain, SeenChain]
) -> None:
    run = located(
        lambda like: 25 if like.address == 1 else 0,
        outcome="incomplete-chain",
        chains=leaf_and_more,
    )
    cells = tuple(replace(one, chain=2) if one.outcome != "ok" else one for one in run.cube().cells)
    run.the_cube = replace(run.cube(), cells=cells)  # type: ignore[attr-defined] # the fake
    (cause,) = explained(run).causes

    assert [one.value for one in cause.conditions] == ["10.0.3.7:443"]
    assert cause.mechanism is not None
    assert cause.grade == "strong"
    assert "it always fails" in cause.sentence
    assert "--address 10.0.3.7:443=node-b" in cause.next


def test_two_causes_are_two(located: Callable[..., Run]) -> None:
    def failing(like: Cell) -> int:
        if like.address == 1:
            return 6
        return 3 if like.client == 1 and like.tls_version == 0x0303 else 0

    assert told(located(failing)) == [
        ("reset", ["10.0.3.7:443"], 960),
        ("reset", ["chrome", "TLS 1.2"], 360),
    ]


def test_a_port_explains_what_nothing_else_does(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    cells = [cell(70, block=block) for block in range(40)]
    cells += [
        cell(10, block=block, outcome="reset", stage=Stage.CLIENT_HELLO) for block in range(40)
    ]
    ports = [PortCount(p, 1, int(p % 8 == 3)) for p in range(33_000, 36_200)]
    (cause,) = explained(recorded(cells, ports=ports)).causes

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

    assert found.causes == ()
    assert found.unexplained == 400
    assert "a cycle of 8" in found.silence


def test_failures_by_the_clock_are_told(
    recorded: Callable[..., Run], cell: Callable[..., Cell]
) -> None:
    cells = [cell(50, block=block) for block in range(600)]
    cells += [
        cell(1, block=block, outcome="reset", stage=Stage.CLIENT_HELLO)
        for block in range(7, 600, 30)
    ]

    assert "They come back about every" in explained(recorded(cells)).silence


@pytest.mark.parametrize(
    ("endings", "unexplained", "words"),
    [
        ({"ok": 100}, 0, ""),
        ({"ok": 99, "reset": 1}, 1, "behind that address"),
        ({"ok": 97, "reset": 3}, 3, "behind that address"),
        ({"reset": 50}, 50, "Every handshake failed"),
        ({"reset": 1}, 1, "Every handshake failed"),
        ({"ok": 5, "alert-40": 2, "eof": 1}, 3, "behind that address"),
    ],
)
def test_what_nothing_explains_is_left(
    recorded: Callable[..., Run],
    cell: Callable[..., Cell],
    endings: dict[str, int],
    unexplained: int,
    words: str,
) -> None:
    found = explained(recorded([cell(number, outcome=name) for name, number in endings.items()]))

    assert found.causes == ()
    assert found.unexplained == unexplained
    assert words in found.silence


def test_silence_says_what_would_have_been_seen(located: Callable[..., Run]) -> None:
    scattered = {
        (b, a, c) for b, a, c in zip(range(0, 40, 4), [0, 1, 2, 3] * 3, [0, 1] * 5, strict=False)
    }
    found = explained(
        located(lambda like: int((like.block, like.address, like.client) in scattered))
    )

    assert found.causes == ()
    assert "No group of up to 3 attributes explains 20 failures" in found.silence


def test_few_of_each_kind_are_too_few(located: Callable[..., Run]) -> None:
    run = located(lambda like: int(like.block == 3 and like.address == 1 and like.client == 1))
    cells = tuple(
        replace(one, outcome="eof") if one.outcome != "ok" and one.tls_version == 0x0303 else one
        for one in run.cube().cells
    )
    run.the_cube = replace(run.cube(), cells=cells)  # type: ignore[attr-defined] # the fake

    assert "too few" in explained(run).silence


def test_randomised_rates_tell_configuration_from_capacity(
    located: Callable[..., Run],
) -> None:
    run = located(lambda like: 5 if like.address == 1 else 0)
    cells = tuple(
        replace(one, count=one.count * (1 + one.block % 4), segment=one.block // 2)
        for one in run.cube().cells
    )
    run.the_cube = replace(run.cube(), cells=cells)  # type: ignore[attr-defined] # the fake
    steady = tuple(replace(one, count=one.count * (1 + one.block // 2 % 4)) for one in cells)
    run.the_cube = replace(run.cube(), cells=steady)  # type: ignore[attr-defined] # the fake

    assert "configuration" in explained(run).load
