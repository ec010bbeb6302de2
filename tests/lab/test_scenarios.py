"""One conformance test for all scenarios, without starting any."""

from __future__ import annotations

import pytest

from stress.errors import UsageError
from stress.lab.scenarios import Planted, Scenario, find, scenarios
from stress.lab.site import HOST, Site
from stress.model.outcome import Outcome, Side

# The contract's words for where a cause is.
WORDS = """
address label family client chain leaf issuer tls_version cipher key_group alpn sni resumed
backend local_port stage time rate vantage
"""
NOTHING_FAILS = {None, "ceiling", "slow", "stalls", "different-alpn", "different-resumption"}
FIRST = {
    "healthy",
    "missing-intermediate",
    "stale-certificate",
    "default-certificate",
    "two-processes-one-port",
    "resets",
    "stalls",
    "ipv6-only",
}


def all_of(planted: Planted) -> list[Planted]:
    return [planted, *planted.also]


@pytest.mark.parametrize("name", scenarios())
def test_a_scenario_builds_what_it_announces(name: str, site: Site) -> None:
    scenario = find(name)
    processes, addresses, planted = scenario.build(site)
    every = all_of(planted)
    pools = [pool for process in processes for pool in process.pools]
    nodes = [node.name for pool in pools for node in pool.numbered]
    words = {word for one in every for word, _ in one.dimensions}

    assert planted.category == scenario.category
    assert sum(one.share for one in every) == pytest.approx(scenario.share)
    assert words <= set(WORDS.split())
    assert bool(words) is (scenario.category not in {None, "stalls", "ceiling"})
    assert len(nodes) == len(set(nodes))
    assert len({str(address) for address in addresses}) == len(addresses)


@pytest.mark.parametrize("scenario", scenarios().values(), ids=lambda one: one.name)
def test_a_scenario_is_described_in_a_sentence_and_fails_on_the_targets_side(
    scenario: Scenario,
) -> None:
    assert scenario.title.endswith(".")
    assert len(scenario.title) <= 100
    assert 0 <= scenario.share <= 1
    if scenario.category in NOTHING_FAILS:
        assert scenario.share == 0
        return
    assert scenario.count * scenario.share >= 10
    assert Outcome.parse(str(scenario.category)).side is Side.TARGET


def test_the_first_scenarios_are_there_and_healthy_is_the_only_good_one() -> None:
    known = scenarios()

    assert set(known) >= FIRST
    assert [name for name, one in known.items() if one.category is None] == ["healthy"]
    assert HOST.endswith(".test")


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("missing-intermediat", "missing-intermediate"),
        ("ipv6", "ipv6-only"),
        ("reset", "resets"),
        ("", "Known: alpn-drift, "),
        ("qqqqqq", "Known: alpn-drift, "),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(wrong: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        find(wrong)

    assert repr(wrong) in caught.value.message
    assert hint in (caught.value.hint or "")
