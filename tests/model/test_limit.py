"""A limit is told with its steps, and may be none at all."""

from __future__ import annotations

from stress.model.limit import Limit, Standing, Step


def test_a_step_comes_out_in_one_of_three_ways() -> None:
    assert [standing.value for standing in Standing] == ["held", "gave-way", "generator"]


def test_a_target_that_held_nowhere_has_no_sustained_rate() -> None:
    step = Step(50, 2, 100, 60, 0, None, None, Standing.GAVE_WAY, "60 of 100 failed")
    limit = Limit(
        "failing<1%", (step,), None, 50, confirmed=False, gave_way="reset", generator_limited=False
    )

    assert limit.sustained is None
    assert limit.steps[-1].standing is Standing.GAVE_WAY
