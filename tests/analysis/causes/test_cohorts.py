from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from stress.analysis.causes.cohorts import Cohort, Mask, Problem, Ranking, search
from stress.analysis.causes.table import UNKNOWN, Column
from stress.model.attributes import Dimension


def column(dimension: Dimension, *codes: int) -> Column:
    values = tuple(str(code) for code in range(max(codes) + 1))
    return Column(dimension, np.asarray(codes, dtype=np.int64), values)


def problem(*columns: Column, attempts: list[int], failures: list[int]) -> Problem:
    return Problem(columns, np.asarray(attempts), np.asarray(failures))


def best(asked: Problem, mask: Mask | None = None) -> Cohort | None:
    rows = np.ones(len(asked.attempts), dtype=np.bool_) if mask is None else mask
    return next(Ranking(asked, rows).cohorts(1), None)


ADDRESS = column(Dimension.ADDRESS, 0, 1, 2, 0, 1, 2)
VERSION = column(Dimension.TLS_VERSION, 0, 0, 0, 1, 1, 1)


def test_the_failing_conjunction_wins() -> None:
    found = best(problem(ADDRESS, VERSION, attempts=[100] * 6, failures=[0, 20, 0, 0, 0, 0]))

    assert found is not None
    assert found.conditions == ((0, 1), (1, 0))
    assert (found.failures, found.attempts) == (20, 100)
    assert found.adjusted < 1e-9


def test_equal_row_sets_are_aliases_and_the_preferred_dimension_names_them() -> None:
    label = column(Dimension.LABEL, 2, 1, 0, 2, 1, 0)
    found = best(problem(ADDRESS, label, attempts=[100] * 6, failures=[0, 20, 0, 0, 20, 0]))

    assert found is not None
    assert found.conditions == ((0, 1),)
    assert found.aliases == (((1, 1),),)


def test_unknown_is_no_value() -> None:
    late = column(Dimension.CIPHER, 0, UNKNOWN, 1, 0, UNKNOWN, 1)
    found = best(problem(late, attempts=[100] * 6, failures=[0, 20, 0, 0, 20, 0]))

    assert found is None


@pytest.mark.parametrize("failures", [[0] * 6, [0, 2, 0, 0, 0, 0], [100] * 6, [20] * 6])
def test_with_too_few_failures_or_no_difference_nothing_passes(failures: list[int]) -> None:
    assert best(problem(ADDRESS, VERSION, attempts=[100] * 6, failures=failures)) is None


def test_a_mask_hides_rows() -> None:
    asked = problem(ADDRESS, VERSION, attempts=[100] * 6, failures=[0, 20, 0, 0, 0, 0])

    assert best(asked, VERSION.codes == 1) is None


def test_a_sparse_space_of_keys_gives_the_same_answer(simulate: ModuleType) -> None:
    random = np.random.default_rng(5)
    many = column(Dimension.ADDRESS, *random.integers(0, 3000, size=6000).tolist())
    client = column(Dimension.CLIENT, *random.integers(0, 40, size=6000).tolist())
    inside = (many.codes == many.codes[0]) | (many.codes == many.codes[1])
    failing = np.where(many.codes == many.codes[0], 50, 0)
    found = best(Problem((many, client), np.full(6000, 50), failing))

    assert inside.any()
    assert found is not None
    assert found.conditions == ((0, int(many.codes[0])),)


def test_no_rows_no_cohorts() -> None:
    empty = np.zeros(0, dtype=np.int64)
    nothing = Problem((), empty, empty)

    assert best(nothing) is None


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
    from stress.model.attributes import Dimension  # noqa: PLC0415 - one small helper

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


def test_a_worse_part_of_a_bad_cohort_is_found_with_it() -> None:
    columns = cross(4, 4)
    failures = np.where(columns[0].codes == 1, 50, 0)
    failures[(columns[0].codes == 1) & (columns[1].codes == 3)] = 400
    found = search(Problem(columns, np.full(16, 1000), failures))
    first = found.cohorts[0]

    assert first.conditions in {((0, 1),), ((0, 1), (1, 3))}
    assert sum(one.failures for one in found.cohorts) == int(failures.sum())


def test_the_check_decides_on_each_candidate() -> None:
    columns = cross(4, 4)
    failures = np.where(columns[0].codes == 1, 50, 0)

    def never(_cohort: Cohort, _mask: Mask) -> bool:
        return False

    problem = Problem(columns, np.full(16, 1000), failures)

    assert search(problem).cohorts
    assert not search(problem, never).cohorts


def many(values: int, share: Callable[[int], float], each: int = 400) -> Problem:
    """An address for each value, with so many attempts and such a share of failures."""
    codes = list(range(values))
    failures = [round(each * share(code)) for code in codes]
    return problem(column(Dimension.ADDRESS, *codes), attempts=[each] * values, failures=failures)


@pytest.mark.parametrize("rate", [1.0, 0.05])
@pytest.mark.parametrize("values", [4, 5, 12, 40])
def test_a_good_minority_is_told_as_everything_except_it(values: int, rate: float) -> None:
    found = search(many(values, lambda code: 0.0 if code == 2 else rate, each=400)).cohorts
    if values == 40:  # a fortieth of the attempts is too few to be surely better at 5%
        assert rate < 1.0 or [one.conditions for one in found] == [((0, ~2),)]
    else:
        assert [one.conditions for one in found] == [((0, ~2),)]


def test_several_good_ones_are_excluded_together() -> None:
    (found,) = search(many(12, lambda code: 0.0 if code in {3, 7} else 0.2)).cohorts

    assert set(found.conditions) == {(0, ~3), (0, ~7)}
    assert (found.failures, found.attempts) == (800, 4000)


def test_few_bad_ones_are_named_one_by_one() -> None:
    found = search(many(4, lambda code: 0.3 if code < 2 else 0.0)).cohorts

    assert {one.conditions for one in found} == {((0, 0),), ((0, 1),)}


def test_all_but_one_level_of_the_load_is_no_place() -> None:
    codes = list(range(5))
    failures = [0, 100, 100, 100, 100]
    asked = problem(column(Dimension.RATE, *codes), attempts=[400] * 5, failures=failures)

    assert all(code >= 0 for one in search(asked).cohorts for _, code, *_ in one.conditions)


def test_an_unknown_value_is_in_no_complement() -> None:
    late = column(Dimension.CIPHER, 0, 1, 2, 3, 4)
    late = replace(late, distinct=np.asarray([0, 1, 2, 3, UNKNOWN]))
    asked = problem(late, attempts=[400] * 5, failures=[0, 200, 200, 200, 0])

    assert asked.rows([(0, ~0)]).tolist() == [False, True, True, True, False]


VERSIONS = tuple(f"17.{number}" for number in range(12))


def versions(share: Callable[[int], float], values: tuple[str, ...] = VERSIONS) -> Problem:
    """A column of some app for each version, with such a share of failures of 400 attempts."""
    codes = np.arange(len(values))
    failures = [round(400 * share(int(code))) for code in codes]
    named = Column(Dimension("app_version"), codes, values)
    return Problem((named,), np.full(len(codes), 400), np.asarray(failures))


@pytest.mark.parametrize("rate", [1.0, 0.3, 0.03])
def test_neighbouring_versions_that_fail_are_one_range(rate: float) -> None:
    found = search(versions(lambda code: rate if 3 <= code <= 6 else 0.0)).cohorts

    assert [one.conditions for one in found] == [((0, 3, 6),)]
    assert (found[0].failures, found[0].attempts) == (round(400 * rate) * 4, 1600)
    assert not found[0].rivals


def test_two_stretches_of_versions_are_two_ranges() -> None:
    found = search(versions(lambda code: 0.2 if code in {1, 2, 8, 9, 10} else 0.0)).cohorts

    assert {one.conditions for one in found} == {((0, 1, 2),), ((0, 8, 10),)}


def test_one_bad_version_or_name_is_no_range() -> None:
    names = tuple(f"pod-{number}" for number in range(12))
    one = search(versions(lambda code: 0.3 if code == 5 else 0.0)).cohorts
    pods = search(versions(lambda code: 0.3 if code in {5, 6} else 0.0, names)).cohorts

    assert [cohort.conditions for cohort in one] == [((0, 5),)]
    assert {cohort.conditions for cohort in pods} == {((0, 5),), ((0, 6),)}


def test_a_range_is_of_one_kind() -> None:
    values = (*(f"Android {n}.0" for n in range(10, 15)), *(f"iOS {n}.0" for n in range(13, 18)))
    found = search(versions(lambda code: 0.2 if 3 <= code <= 6 else 0.0, values)).cohorts

    assert {one.conditions for one in found} == {((0, 3, 4),), ((0, 5, 6),)}


def test_of_a_column_that_is_told_apart_in_part_only_values_are_named() -> None:
    """Those with codes were chosen because they fail, so all but one of them is no place."""
    part = replace(versions(lambda code: 0.2 if code != 3 else 0.0).columns[0], partial=True)
    failures = np.where(part.codes == 3, 0, 80)
    found = search(Problem((part,), np.full(12, 400), failures)).cohorts

    assert all(len(one) == 2 and one[1] >= 0 for cohort in found for one in cohort.conditions)
