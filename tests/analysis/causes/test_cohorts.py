from types import ModuleType

import numpy as np
import pytest

from stress.analysis.causes.cohorts import Cohort, Mask, Problem, rank
from stress.analysis.causes.table import UNKNOWN, Column
from stress.analysis.dimensions import Dimension


def column(dimension: Dimension, *codes: int) -> Column:
    values = tuple(str(code) for code in range(max(codes) + 1))
    return Column(dimension, np.asarray(codes, dtype=np.int64), values)


def problem(*columns: Column, attempts: list[int], failures: list[int]) -> Problem:
    return Problem(columns, np.asarray(attempts), np.asarray(failures))


def best(asked: Problem, mask: Mask | None = None) -> Cohort | None:
    rows = np.ones(len(asked.attempts), dtype=np.bool_) if mask is None else mask
    return next(rank(asked, rows).cohorts(1), None)


ADDRESS = column(Dimension.ADDRESS, 0, 1, 2, 0, 1, 2)
VERSION = column(Dimension.TLS_VERSION, 0, 0, 0, 1, 1, 1)


def test_the_failing_conjunction_wins() -> None:
    found = best(problem(ADDRESS, VERSION, attempts=[100] * 6, failures=[0, 20, 0, 0, 0, 0]))

    assert found is not None
    assert found.conditions == ((0, 1), (1, 0))
    assert (found.failures, found.attempts) == (20, 100)
    assert found.adjusted < 1e-9


def test_two_ways_to_say_it_are_aliases_and_the_preferred_one_names_it() -> None:
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
