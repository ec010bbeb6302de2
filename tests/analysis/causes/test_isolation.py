from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from stress.analysis.causes.changes import Instant
from stress.analysis.causes.classes import failure_classes
from stress.analysis.causes.isolation import Grade, Isolation, grouped, isolate
from stress.analysis.causes.table import Column
from stress.analysis.recording import record
from stress.model.attributes import Dimension
from stress.model.claims import Shape
from stress.model.plan import Address
from stress.model.run import CELL_OTHERS, Cell, Run


def isolated(run: Run) -> Isolation:
    recording = record(run)
    (failing,) = failure_classes(recording.table)
    return isolate(recording, failing)


def said(isolation: Isolation) -> list[list[str]]:
    return [[each.text for each in one.conditions] for one in isolation.slices]


def test_a_slice_is_found_with_its_aliases_and_grade(located: Callable[..., Run]) -> None:
    found = isolated(located(lambda like: 5 if like.address == 1 else 0))
    (one,) = found.slices

    assert said(found) == [["10.0.3.7:443"]]
    assert [[one.text for one in way] for way in one.aliases] == [["node-b"]]
    assert one.grade is Grade.STRONG
    assert one.time_profile.shape is Shape.CONSTANT
    assert one.ratio.low > 100


def test_two_conditions_are_found_together(located: Callable[..., Run]) -> None:
    found = isolated(
        located(lambda like: 5 if like.address == 1 and like.tls_version == 0x0303 else 0)
    )

    assert said(found) == [["10.0.3.7:443", "TLS 1.2"]]
    assert (found.slices[0].cohort.failures, found.slices[0].cohort.attempts) == (400, 2000)


def test_a_slice_that_broke_during_the_run_has_an_onset(located: Callable[..., Run]) -> None:
    found = isolated(located(lambda like: 5 if like.address == 1 and like.block >= 25 else 0))
    one = found.slices[0]

    assert {each.dimension for each in one.conditions} == {Dimension.ADDRESS, Dimension.TIME}
    assert one.time_profile.shape is Shape.BEGAN
    assert one.time_profile.onset == Instant(25, 25, 25)


def test_a_stretch_of_time_is_a_cause_by_itself(located: Callable[..., Run]) -> None:
    found = isolated(located(lambda like: 3 if 20 <= like.block < 24 else 0))

    assert [[each.dimension for each in one.conditions] for one in found.slices] == [
        [Dimension.TIME]
    ]
    assert found.time_profile.shape is Shape.WINDOW


def test_one_block_of_a_long_run_is_one_episode(located: Callable[..., Run]) -> None:
    found = isolated(located(lambda like: 25 if like.block == 20 and like.address == 1 else 0))

    assert found.slices[0].grade is Grade.ONE_EPISODE


def test_several_bursts_are_one_slice(located: Callable[..., Run]) -> None:
    found = isolated(located(lambda like: 8 if like.block in {10, 20, 30} else 0))

    assert found.time_profile.shape is Shape.BURSTS
    assert len(found.slices) == 1
    assert found.slices[0].conditions[0].text.count(",") == 2


@pytest.mark.parametrize("failures", [1, 2])
def test_too_few_failures_explain_nothing(located: Callable[..., Run], failures: int) -> None:
    left = [failures]

    def first(like: Cell) -> int:
        taken, left[0] = min(1, left[0]), max(0, left[0] - 1)
        return taken

    assert not isolated(located(first)).slices


def test_only_failures_explain_nothing(located: Callable[..., Run]) -> None:
    assert not isolated(located(lambda like: 25)).slices


@pytest.mark.slow
def test_failures_that_follow_nothing_are_rarely_explained(simulate: ModuleType) -> None:
    random = np.random.default_rng(41)
    claimed = 0
    for _ in range(40):
        told = simulate.even(random, 8_000, 60)
        if told.failed.any():
            claimed += bool(simulate.story(told.columns, told.blocks, told.failed).slices)

    assert claimed <= 3


@pytest.mark.slow
def test_a_steady_cause_passes_the_test_of_blocks(simulate: ModuleType) -> None:
    random = np.random.default_rng(42)
    strong = 0
    for _ in range(12):
        told = simulate.steady(random, 20_000, 20)
        slices = simulate.story(told.columns, told.blocks, told.failed).slices
        strong += any(one.grade is Grade.STRONG for one in slices)

    assert strong >= 11


@pytest.mark.parametrize("values", [3, 40], ids=["few-combinations", "many-combinations"])
def test_rows_are_grouped_in_the_order_of_their_attributes(values: int) -> None:
    random = np.random.default_rng(19)
    kinds, blocks = random.integers(0, 20, 500), random.integers(0, 30, 500)
    names = tuple(map(str, range(values)))

    def codes(size: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return random.integers(-1, values, size)

    columns = (
        Column(Dimension.ADDRESS, codes(20), names, of=kinds),
        Column(Dimension.TIME, codes(30), names, of=blocks),
        Column(Dimension.CLIENT, codes(20), names, of=kinds),
        Column(Dimension.CHAIN, codes(500), names),
    )
    rows = np.flatnonzero(random.random(500) < 0.7)
    attempts = random.integers(1, 9, len(rows))
    problem, groups = grouped(columns, attempts, attempts // 2, rows)
    combinations = list(zip(*(column.codes[rows].tolist() for column in columns), strict=True))
    distinct = sorted(set(combinations))

    assert list(zip(*(one.codes.tolist() for one in problem.columns), strict=True)) == distinct
    assert groups.tolist() == [distinct.index(one) for one in combinations]
    assert problem.attempts.tolist() == np.bincount(groups, attempts).tolist()
    assert problem.failures.tolist() == np.bincount(groups, attempts // 2).tolist()


def with_signals(cell: Cell, **signals: str) -> Cell:
    return cell._replace(others=tuple(signals.get(name) for name in CELL_OTHERS))


def suggested(
    make: Callable[..., Cell], recorded: Callable[..., Run], failing: Callable[[Cell, str], int]
) -> Isolation:
    """Two addresses, behind each two kinds of servers, by what ends their TCP; 40 blocks."""
    cells = []
    for block in range(40):
        for address in range(2):
            for end in ("MSS 1448", "MSS 988"):
                like = make(25, block=block, address=address)
                failed = failing(like, end)
                here = [
                    like._replace(count=25 - failed),
                    like._replace(count=failed, outcome="reset"),
                ]
                cells += [with_signals(one, tcp_options=end) for one in here if one.count]
    addresses = (Address("10.0.0.1", 443), Address("10.0.0.2", 443))
    recording = record(recorded(cells, addresses=addresses))
    (failing_class,) = failure_classes(recording.table)
    return isolate(recording, failing_class, signals=True)


def test_a_signal_suggests_a_server_where_nothing_else_explains_failures(
    cell: Callable[..., Cell], recorded: Callable[..., Run]
) -> None:
    found = suggested(cell, recorded, lambda _, end: 5 if end == "MSS 988" else 0)

    (one,) = found.suggested
    assert found.slices == ()
    assert [(each.dimension, each.text) for each in one.conditions] == [("tcp_options", "MSS 988")]
    assert (one.inside.failures, one.inside.attempts) == (400, 2000)
    assert one.ratio.low > 100
    assert one.grade is Grade.SUGGESTED, "it is no name"


def test_a_signal_takes_nothing_from_what_explains_failures(
    cell: Callable[..., Cell], recorded: Callable[..., Run]
) -> None:
    """Of two servers at the second address one fails: the address is told, then which of them."""
    found = suggested(
        cell, recorded, lambda like, end: 5 if (like.address, end) == (1, "MSS 988") else 0
    )

    assert said(found) == [["10.0.0.2:443"]]
    assert found.slices[0].grade is Grade.STRONG
    assert found.suggested == ()
    assert found.slices[0].worst is not None
    (inner,), counts = found.slices[0].worst
    assert (inner.dimension, inner.text) == ("tcp_options", "MSS 988")
    assert (counts.failures, counts.attempts) == (200, 1000)


def test_what_the_places_leave_is_searched_for_signals(
    cell: Callable[..., Cell], recorded: Callable[..., Run]
) -> None:
    def failing(like: Cell, end: str) -> int:
        return 25 if like.address else 2 if end == "MSS 988" else 0

    found = suggested(cell, recorded, failing)

    assert said(found) == [["10.0.0.2:443"]]
    assert [one.conditions[0].text for one in found.suggested] == ["MSS 988"]
    assert found.suggested[0].cohort.failures == 80


def test_failures_that_no_signal_follows_suggest_none(
    cell: Callable[..., Cell], recorded: Callable[..., Run]
) -> None:
    found = suggested(cell, recorded, lambda like, _: int(like.block % 5 == 0))

    assert found.suggested == ()
