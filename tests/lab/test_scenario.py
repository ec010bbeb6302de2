"""The pieces that scenarios are made of."""

from __future__ import annotations

import pytest

from stress.lab.scenario import Scenario, row
from stress.lab.site import Site

STORY = Scenario("story", "A story.", "it resets", category="reset", share=0.25)


def test_a_row_numbers_its_nodes_and_gives_them_their_weights(site: Site) -> None:
    good = site.show("good", site.leaf())
    nodes = row([good, good], [3.0, 1.0], prefix="left")

    assert [(node.name, node.weight) for node in nodes] == [("left-01", 3.0), ("left-02", 1.0)]
    assert {node.identity for node in nodes} == {good.identity}


def test_a_row_wants_as_many_weights_as_nodes(site: Site) -> None:
    good = site.show("good", site.leaf())
    with pytest.raises(ValueError, match="shorter"):
        row([good, good], [1.0])


def test_a_single_farm_has_one_address_and_what_was_planted(site: Site) -> None:
    nodes = row([site.show("good", site.leaf())])
    built = STORY.single(site, nodes, ("stage", "client-hello"))
    planted = built.planted
    ((pool,),) = (process.pools for process in built.processes)

    assert (planted.category, planted.share) == ("reset", 0.25)
    assert (planted.sentence, planted.dimensions) == ("it resets", (("stage", "client-hello"),))
    assert [one.port for one in built.addresses] == [front.port for front in pool.fronts]
    assert pool.nodes == nodes


def test_windows_are_named_as_times() -> None:
    planted = STORY.plant(windows_s=((1.0, 2.5), (4.0, 5.0)))

    assert planted.dimensions == (("time", "1-2.5 s, 4-5 s"),)
    assert planted.windows_s == ((1.0, 2.5), (4.0, 5.0))
