from __future__ import annotations

import pytest

from stress.cli.options import parse


@pytest.mark.parametrize(
    ("words", "wish"),
    [((), None), (("--stop-on-refusal",), True), (("--no-stop-on-refusal",), False)],
)
def test_stopping_at_refusals_may_be_asked_for_and_declined(
    words: tuple[str, ...], wish: bool | None
) -> None:
    assert parse(["edge.test", *words]).stop_on_refusal is wish


def test_goals_and_assertions_add_up() -> None:
    words = ["--until", "failures>=1", "--until", "failing<1%", "--assert", "chains==1"]

    request = parse(["edge.test", *words, "--max-duration", "5m"])

    assert request.until == ("failures>=1", "failing<1%")
    assert request.assertions == ("chains==1",)
    assert request.max_duration == "5m"
