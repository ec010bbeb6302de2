"""From the words of a scenario to what a farm serves."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import fields, replace
from importlib.resources import files
from typing import Any

from stress.lab.blueprint import Fault, Front, Identity, NodeSpec, Pool, Window
from stress.lab.scenarios import Planted, Scenario
from stress.lab.site import Site

STORY = Scenario("story", "A story.", "it resets", 0.25, (Pool((NodeSpec(number=2),)),), "reset")
KEYS = {
    "pools": Pool,
    "nodes": NodeSpec,
    "identity": Identity,
    "faults": Fault,
    "window": Window,
    "front": Front,
    "also": Planted,
}


def tables(key: str, value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every table below a key, with the key that it stands under."""
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict):
            yield key, one
            for name, inner in one.items():
                if name != "stores":  # keyed by the names of our roots
                    yield from tables(name, inner)


def test_every_key_of_the_file_is_read() -> None:
    text = (files("stress.lab") / "scenarios.toml").read_text("utf-8")
    for name, scenario in tomllib.loads(text).items():
        for key, table in tables(name, scenario):
            kind = KEYS.get(key, Scenario)
            assert set(table) <= {field.name for field in fields(kind)}, (name, key)


def test_a_farm_has_an_address_for_each_pool_and_what_was_planted(site: Site) -> None:
    story = replace(STORY, dimensions=(("stage", "client-hello"),))
    processes, addresses, planted = story.build(site)
    ((pool,),) = (process.pools for process in processes)

    assert (planted.category, planted.share) == ("reset", 0.25)
    assert (planted.sentence, planted.dimensions) == ("it resets", (("stage", "client-hello"),))
    assert addresses == (pool.front.address,)
    assert [node.name for node in pool.numbered] == ["node-01", "node-02"]
    assert (site.folder / "good.pem").exists()


def test_windows_are_named_as_times(site: Site) -> None:
    *_, planted = replace(STORY, windows_s=((1.0, 2.5), (4.0, 5.0))).build(site)

    assert planted.dimensions == (("time", "1-2.5 s, 4-5 s"),)
    assert planted.windows_s == ((1.0, 2.5), (4.0, 5.0))


def test_what_is_known_only_when_the_farm_is_built_is_filled_in(site: Site) -> None:
    nodes = (NodeSpec(), NodeSpec(identity=Identity(("expiring.pem",))))
    story = replace(
        STORY,
        pools=(Pool(nodes), Pool(nodes[:1])),
        sentence="{addresses[1]} is bad from {expiring.expires:%H:%M:%S} on",
        dimensions=(("chain", "{good.sha256}"),),
    )
    _, addresses, planted = story.build(site)

    assert planted.sentence == f"{addresses[1]} is bad from 12:00:12 on"
    assert planted.dimensions == (("chain", site.shown("good.pem").sha256),)
    assert planted.from_unix_s == int(site.now.timestamp()) + 12
