"""A replay is an order of combinations in rounds of one size."""

from __future__ import annotations

from stress.model.plan import Combination, Replay, Role


def test_every_round_has_each_combination_once() -> None:
    pair = (Combination(Role.FAILED, 0, 0, None, 40_000), Combination(Role.GOOD, 0, 0, None, None))
    replay = Replay("lab", pair * 3, 3, 1.0, ("reset",), 0.5)

    assert replay.round_size == 2


def test_the_roles_have_the_names_of_the_document() -> None:
    assert [role.value for role in Role] == ["failed", "good"]
