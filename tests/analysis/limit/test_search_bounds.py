"""Whatever the steps come out as, the answer does not contradict them, and the search ends."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stress.analysis.goals.goal import parse_goals
from stress.analysis.limit.search import LimitSearch
from stress.model.limit import Limit, Standing
from stress.model.record import Record
from stress.report.wording.context import limit_sentence

GOALS = parse_goals(["failing<1%"])
BLANK = Record(**dict.fromkeys(Record._fields))  # type: ignore[arg-type]  # filled in below
SECOND = 1_000_000_000


def rows(seconds: float, outcome: str, late_ns: int = 0) -> list[Record]:
    """Ten attempts a second."""
    times = (n * SECOND // 10 for n in range(int(seconds * 10)))
    return [
        BLANK._replace(due_ns=at, started_ns=at + late_ns, total_ns=1_000, outcome=outcome, flags=0)
        for at in times
    ]


def search(standings: list[Standing]) -> tuple[Limit, dict[str, int], list[tuple[float, Standing]]]:
    """A search whose segments come out so, and then all hold; what was offered, and how long."""
    controller = LimitSearch(GOALS, start=50, ceiling=2_000)
    coming, counted, offered = list(standings), {"ok": 0, "reset": 0}, []
    while (segment := controller.next_segment()) is not None:
        standing = coming.pop(0) if coming else Standing.HELD
        outcome = "reset" if standing is Standing.GAVE_WAY else "ok"
        late_ns = 200_000_000 if standing is Standing.GENERATOR else 0
        made = rows(segment.seconds, outcome, late_ns)
        counted[outcome] += len(made)
        offered.append((segment.seconds, standing))
        controller.on_records(made)
    return controller.limit(), counted, offered


@given(st.lists(st.sampled_from(Standing), max_size=40))
def test_the_answer_agrees_with_its_steps(standings: list[Standing]) -> None:
    limit, counted, _ = search(standings)

    gave = [step.rate for step in limit.steps if step.standing is Standing.GAVE_WAY]
    held = [step.rate for step in limit.steps if step.standing is Standing.HELD]
    if limit.sustained is None:
        assert not [rate for rate in held if not gave or rate < min(gave)]
    else:
        assert limit.sustained in held
        assert not [rate for rate in gave if rate <= limit.sustained]
    if limit.first_failing is not None and not limit.generator_limited:
        assert limit.first_failing == min(gave)
    above = [rate for rate in held if gave and rate >= min(gave)]
    words = limit_sentence(limit)
    assert ("held in one step only" in words) is bool(above and not limit.generator_limited)
    assert sum(step.attempts for step in limit.steps) == sum(counted.values())
    assert sum(step.failed for step in limit.steps) == counted["reset"]


@given(st.integers(0, 6))
def test_a_machine_that_is_met_first_ends_the_search_within_a_minute(steps: int) -> None:
    limit, _, offered = search([Standing.HELD] * steps + [Standing.GENERATOR] * 40)

    late = sum(seconds for seconds, standing in offered if standing is Standing.GENERATOR)
    assert limit.generator_limited
    assert late <= 60
    words = limit_sentence(limit)
    assert "this machine cannot test above" in words
    if steps:
        assert words.startswith(f"Held at {50 * 2 ** (steps - 1):,}"[:8])


def test_a_target_that_gives_way_below_our_own_limit_is_searched_to_the_end() -> None:
    own, gave, held = Standing.GENERATOR, Standing.GAVE_WAY, Standing.HELD

    limit, _, _ = search([held, held, own, own, gave])

    assert not limit.generator_limited
    assert limit.confirmed
    assert limit.sustained is not None
    assert limit.first_failing is not None
    assert 100 <= limit.sustained < limit.first_failing < 200
