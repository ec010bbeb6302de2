from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from stress.analysis.causes.cohorts import Cohort, Mask, Problem, search
from stress.analysis.causes.table import Column


def rows_of(problem: Problem) -> list[tuple[bool, ...]]:
    return [tuple(problem.rows(one.conditions).tolist()) for one in search(problem).cohorts]


@pytest.mark.slow
@pytest.mark.parametrize(("causes", "trials", "recall"), [(1, 12, 0.95), (2, 12, 0.90)])
def test_planted_causes_are_found(
    simulate: ModuleType, causes: int, trials: int, recall: float
) -> None:
    random = np.random.default_rng([11, causes])
    hits = claims = 0
    for _ in range(trials):
        world = simulate.plant(random, simulate.attributes(random, 40_000), 40_000, causes)
        hit, claimed = simulate.found(world)
        hits, claims = hits + hit, claims + claimed

    assert hits >= recall * causes * trials
    assert claims <= 1.25 * causes * trials


@pytest.mark.slow
def test_with_no_cause_nothing_is_claimed(simulate: ModuleType) -> None:
    random = np.random.default_rng(12)
    claims = 0
    for _ in range(40):
        world = simulate.plant(random, simulate.attributes(random, 20_000), 20_000, 0)
        claims += simulate.found(world)[1] > 0

    assert claims <= 3


@pytest.mark.slow
def test_the_order_of_rows_changes_nothing(simulate: ModuleType) -> None:
    random = np.random.default_rng(13)
    world = simulate.plant(random, simulate.attributes(random, 20_000), 20_000, 2)
    problem = world.problem
    order = random.permutation(len(problem.attempts))
    shuffled = Problem(
        tuple(column.where(order) for column in problem.columns),
        problem.attempts[order],
        problem.failures[order],
    )

    found, again = search(problem), search(shuffled)

    assert [one.conditions for one in found.cohorts] == [one.conditions for one in again.cohorts]
    assert [one.p_value for one in found.cohorts] == [one.p_value for one in again.cohorts]
    assert (found.hypotheses, found.considered) == (again.hypotheses, again.considered)


@pytest.mark.slow
def test_the_order_of_dimensions_changes_no_row_set(simulate: ModuleType) -> None:
    random = np.random.default_rng(14)
    world = simulate.plant(random, simulate.attributes(random, 20_000), 20_000, 2)
    turned = replace(world.problem, columns=world.problem.columns[::-1])

    assert set(rows_of(world.problem)) == set(rows_of(turned))


def cross(*sizes: int) -> tuple[Column, ...]:
    from stress.analysis.dimensions import Dimension  # noqa: PLC0415 - one small helper

    grid = np.stack(np.meshgrid(*map(np.arange, sizes), indexing="ij")).reshape(len(sizes), -1)
    named = list(Dimension)[: len(sizes)]
    return tuple(
        Column(dimension, codes.astype(np.int64), tuple(map(str, range(size))))
        for dimension, codes, size in zip(named, grid, sizes, strict=True)
    )


def test_an_umbrella_gives_way_to_what_is_under_it() -> None:
    columns = cross(4, 4, 3)
    one = (columns[0].codes == 1) & (columns[1].codes == 2)
    two = (columns[0].codes == 1) & (columns[2].codes == 0) & (columns[1].codes != 2)
    failures = np.where(one | two, 300, 0)
    found = search(Problem(columns, np.full(48, 1000), failures))
    claimed = np.zeros(48, dtype=np.bool_)
    for cohort in found.cohorts:
        claimed |= Problem(columns, failures, failures).rows(cohort.conditions)

    assert (claimed == (one | two)).all()
    assert all((0, 1) in cohort.conditions for cohort in found.cohorts)


def test_a_worse_place_inside_a_bad_one_is_told_with_it() -> None:
    columns = cross(4, 4)
    failures = np.where(columns[0].codes == 1, 50, 0)
    failures[(columns[0].codes == 1) & (columns[1].codes == 3)] = 400
    found = search(Problem(columns, np.full(16, 1000), failures))
    first = found.cohorts[0]

    assert first.conditions in {((0, 1),), ((0, 1), (1, 3))}
    assert sum(one.failures for one in found.cohorts) == int(failures.sum())


def test_the_guard_has_the_last_word() -> None:
    columns = cross(4, 4)
    failures = np.where(columns[0].codes == 1, 50, 0)

    def never(_cohort: Cohort, _mask: Mask) -> bool:
        return False

    problem = Problem(columns, np.full(16, 1000), failures)

    assert search(problem).cohorts
    assert not search(problem, never).cohorts
